# Written by _tools/unasync.py from speedpix_pipe/sdk/_async/__init__.py; edit that and run it again.
"""The synchronous face, written by hand. `_tools/unasync.py` makes `_sync` of it: edit here, then generate."""
