"""The five claims, each from curves to a finding, and the judge of all.

Start with `judge.py`.
"""
