"""A wheel is enough: it holds the code, its type marker and every file that the code reads."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import geomod
from geomod.base.shipped import shipped


def python(code: str, *folders: Path, at: Path) -> str:
    """What `code` prints in the empty folder `at`, with nothing but `folders` on the path."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=at,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_wheel_holds_every_module_and_every_shipped_file(wheel: Path, root: Path) -> None:
    package = root / "workflow"
    wanted = {
        path.relative_to(package).as_posix()
        for path in package.glob("geomod/**/*")
        if path.suffix in (".py", ".typed")
    }
    for folder in ("resources", "workflow/schemas", "workflow/report"):
        wanted |= {f"geomod/_shipped/{folder}/{path.name}" for path in (root / folder).iterdir()}
    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if ".dist-info/" not in name} == wanted
    assert "geomod/py.typed" in wanted


TABLE = """
import pandas as pd
from geomod.base.shipped import shipped
from geomod.base.tables import columns_of, key_of, read_table, write_table
columns = columns_of("change_points")
rows = pd.DataFrame({name: pd.Series([0], dtype=kind) for name, kind in columns.items()})
write_table(rows, "change_points.parquet", "change_points")
print(len(read_table("change_points.parquet")), list(columns) == list(rows))
files = ("resources/suites.tsv", "workflow/report/report.html.j2")
print(*(shipped(file).is_file() for file in files))
print(__import__("geomod").__file__, __import__("geomod").__version__)
"""


def test_tables_are_written_from_an_empty_folder(
    installed: Path, tmp_path: Path, root: Path
) -> None:
    said = python(TABLE, installed, at=tmp_path).split()
    assert said[:4] == ["1", "True", "True", "True"]
    assert said[4:] == [str(installed / "geomod/__init__.py"), number(root)]


def test_the_version_is_that_of_pyproject(root: Path) -> None:
    assert geomod.__version__ == number(root)
    assert f"\nversion: {number(root)}\n" in (root / "CITATION.cff").read_text(encoding="utf-8")


def number(root: Path) -> str:
    return str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])


def test_a_file_that_is_missing_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"resources/absent.tsv: .* not whole"):
        shipped("resources/absent.tsv")
