"""Can it be trusted? False positives, power, known answers, other choices.

Start with `calibration.py`.
"""
