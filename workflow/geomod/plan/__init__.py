"""What a config asks for: its keys, its grid of models and steps, its paths, its folder.

Start with `config.py`, then `grid.py`. No other wing knows of this one.
"""

from geomod.base.extras import extra

with extra("workflow"):  # once, before any file of the wing
    import pydantic  # noqa: F401
