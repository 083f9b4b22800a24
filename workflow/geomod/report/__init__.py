"""Figures and the page, from tables alone.

Start with `gallery.py`: what is drawn, from which tables. `page.py` puts it together.
"""
