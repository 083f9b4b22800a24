"""What a checkpoint knows of language, and which knowledge its alignment with the brain follows.

Of the statistics open `question.py` first; `half_times.py` says when a curve is half-way on a range
that is known, `shares.py` what that range is.
"""
