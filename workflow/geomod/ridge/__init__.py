"""Ridge regression for encoding models: one factorization, every penalty, target and draw.

Start with `engine.py`, whose `encode` does it all; `tests/unit/ridge/ridge_oracle.py` is the same
in forty plain lines.
"""
