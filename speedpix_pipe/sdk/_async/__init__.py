"""The asynchronous face, written by hand. `_tools/unasync.py` makes `_sync` of it: edit here, then generate."""
