"""The live page: runs as they happen, in a browser on this machine.

It reads the journal and kept files, and changes nothing but by what `app` hands in: cancel, and redo. Who may ask
is decided in `guard`, what a run looks like in `follow`, addresses in `routes`, the page itself in `page`.
"""
