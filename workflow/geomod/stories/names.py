"""Which stories there are and which files tell them, with the standard library alone.

Snakemake asks this each time it parses the workflow.
"""

import csv
from pathlib import Path

from geomod.base.errors import InputError
from geomod.base.files import names_on_disk
from geomod.stories.settings import Settings


def story_names(settings: Settings) -> list[str]:
    """The stories, in their order: those that are chosen, or all that the words are of."""
    if settings.stories:
        return list(settings.stories)
    if "{story}" in settings.words:
        names = names_on_disk(settings.words, "story")
        if not names:
            raise InputError(f"story.words: no file is called like {settings.words!r}.")
        return names
    return _in_table(Path(settings.words), settings.columns.get("story", "story"))


def word_files(settings: Settings) -> list[str]:
    """Every file that the words are read from."""
    if "{story}" not in settings.words:
        return [settings.words]
    return [settings.words.replace("{story}", name) for name in story_names(settings)]


def _in_table(path: Path, column: str) -> list[str]:
    """The values of a column, once each; what is wrong with the file `words.py` will say."""
    tabs = path.suffix.lower() in (".tsv", ".tab")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t" if tabs else ",")
            named = column if column in (rows.fieldnames or ()) else "section"
            names = dict.fromkeys((row.get(named) or "").strip() for row in rows)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error):
        return []
    return [name.removesuffix(".0") if named == "section" else name for name in names if name]
