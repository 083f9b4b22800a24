"""A world whose answers are known: a language, small models that learn it, a brain that reads it.

Start with `language.py`; `brain.py` plants what must come back.
"""
