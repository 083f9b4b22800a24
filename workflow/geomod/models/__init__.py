"""An open checkpoint: its weights, its tokens, and what is kept of one forward pass.

Start with `loading.py`, then `activations.py`.
"""
