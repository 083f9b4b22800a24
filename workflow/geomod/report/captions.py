"""Captions of figures as reStructuredText, for Snakemake's own report: what the page says, too."""

import re

from geomod.report.figures import seen
from geomod.report.gallery import GALLERY, Tables


def caption(name: str, tables: Tables) -> str:
    """What is seen in the figure in this run, and how it is read; or why it is left out."""
    plate = GALLERY[name]
    parts = (
        [plate.lacking(tables)] if plate.lacking(tables) else [seen(name, tables), plate.caption]
    )
    return "\n\n".join(as_text(part) for part in parts if part) + "\n"


def as_text(text: str) -> str:
    """Text that stays text where reStructuredText and the templates of Snakemake read it."""
    escaped = re.sub(r"([\\*`|_])", r"\\\1", text)
    return escaped.replace("{", "{{ '{' }}")
