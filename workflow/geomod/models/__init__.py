"""An open checkpoint: its weights, its tokens, and what is kept of one forward pass.

Start with `reading.py`, which says what a reading is, then `sentences.py`, which is one;
`forward.py` gives any number of them what `loading.py` opened.
"""
