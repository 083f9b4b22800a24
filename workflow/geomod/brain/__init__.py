"""What people read and what their brains did: sentences, responses, regions, noise ceilings.

Start with `responses.py`: one interface, a reader a format.
"""
