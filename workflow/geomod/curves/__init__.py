"""Curves over training as arrays, and the arithmetic of intervals and p.

Start with `curves.py`: it turns the tidy tables into one block of arrays a model. `sound.py` says
which checkpoints are evidence at all, `settings.py` what all tests are told.
"""
