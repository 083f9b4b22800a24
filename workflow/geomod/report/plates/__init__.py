"""The figures themselves, a file a theme; each is a function from tables to a matplotlib figure.

What they show, and from which tables: `../gallery.py`. Which file draws which: `../figures.py`.
"""
