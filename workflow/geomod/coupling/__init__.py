"""Does a layer's geometry predict its alignment?

Start with `within_depth.py`, the test that holds its level; `paper.py` has the paper's own.
"""
