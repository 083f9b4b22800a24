"""The shape of what a layer says: of a sentence, of a set of sentences, over depth.

Start with `sentence.py`: entropy and curvature as functions of a token Gram. `registry.py` is how a
measure is added.
"""
