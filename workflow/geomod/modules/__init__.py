"""Which layers belong together, and is the module of low complexity better aligned?

Start with `partition.py`.
"""
