"""When in training does a region's alignment emerge?

Start with `onsets.py`; `contrasts.py` compares two groups of regions.
"""
