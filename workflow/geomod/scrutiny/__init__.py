"""Can it be trusted? False positives, power, known answers, other choices.

Open `calibration.py` first: how often each test finds what is not there.
"""
