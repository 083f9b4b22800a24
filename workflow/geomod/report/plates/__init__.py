"""The figures themselves, a file a theme: a function from tables to a matplotlib figure, and one
from tables to a sentence of what is seen in it, under `@in_gallery`.

What they show, and from which tables: `../gallery.py`. What they become: `../figures.py`.
"""
