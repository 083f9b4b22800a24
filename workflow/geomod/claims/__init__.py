"""The five claims, each from curves to a finding, and the judge of all.

Open `judge.py` first: what becomes of a finding.
"""
