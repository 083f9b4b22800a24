"""Files that come with the code, and its version: in the repository and in an installed package.

In the repository such a file lies where people look for it, beside the package; a wheel holds a
copy of those folders (setup.py). Both are named alike, by the path in the repository.
"""

import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
REPOSITORY = PACKAGE.parents[1]
INSTALLED = PACKAGE / "_shipped"


def shipped(path: str) -> Path:
    """The file, or folder, that the repository has at `path`: `workflow/schemas/tables.yaml`."""
    found = (INSTALLED if INSTALLED.is_dir() else REPOSITORY) / path
    if not found.exists():
        raise FileNotFoundError(f"{found}: this installation of geomod is not whole")
    return found


@cache
def version() -> str:
    """The version that pyproject.toml names, which an installed package has in its metadata."""
    project = REPOSITORY / "pyproject.toml"
    if INSTALLED.is_dir() or not project.is_file():
        try:
            return metadata.version("geomod")
        except metadata.PackageNotFoundError:  # somebody copied the folder of the package alone
            return "unknown"
    return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
