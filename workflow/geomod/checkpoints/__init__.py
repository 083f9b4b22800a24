"""Checkpoints of a hub, a folder or the toy training: listed, audited, fetched, verified, evicted.

Start with `opening.py`: how one checkpoint becomes a folder that a job may read from.
"""
