"""The claims: a file each, from curves to a finding, and the judge of all.

Open `claim.py` first, which says what a claim is; `registry.py` lists them, `judge.py` judges.
"""
