"""The gallery of a run: one offline HTML file made from what the journal knows.

It reads frozen views of a run and its tasks, so that it can be made again for any past run; where those come
from is the app's business.
"""
