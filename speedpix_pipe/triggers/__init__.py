"""Hot folders: files that arrive become batches, and every file gets a verdict and a place.

What a batch is made into (a run) is not known here: `app.watch` carries batches out and hands back what became of
them. This room finds files, waits until they are settled, claims them, judges them and moves them.
"""
