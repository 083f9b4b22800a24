"""Encoding models as tables: every layer against every region of every person.

Start with `scores.py`; `alignment.py` has the other measures of likeness, `baselines.py` what a
layer explains beyond length, position and the untrained model.
"""
