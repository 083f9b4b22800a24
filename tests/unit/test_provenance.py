"""The fingerprint of a script covers what it imports, and nothing else."""

from pathlib import Path

import pytest

from geomod import provenance


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in which the script imports `a`, which imports `b`; `c` stands alone."""
    (tmp_path / "script.py").write_text("from geomod.a import x\n")
    (tmp_path / "a.py").write_text("def x():\n    from geomod import b\n    return b\n")
    (tmp_path / "b.py").write_text("import numpy\n")
    (tmp_path / "c.py").write_text("")
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    return tmp_path


def fingerprint(package: Path) -> str:
    provenance._imports.cache_clear()
    return provenance.fingerprint(package / "script.py")


@pytest.mark.parametrize(("module", "changes"), [("a", True), ("b", True), ("c", False)])
def test_an_edit_counts_where_it_is_imported(package: Path, module: str, changes: bool) -> None:
    before = fingerprint(package)
    with (package / f"{module}.py").open("a") as file:
        file.write("# edited\n")
    assert (fingerprint(package) != before) == changes


def test_figures_are_not_behind_the_fits(root: Path) -> None:
    provenance._imports.cache_clear()
    behind = provenance._reachable(root / "workflow/scripts/encoding.py")
    names = {module.name for module in behind}
    assert "ridge.py" in names
    assert not names & {"figures.py", "gallery.py", "config.py", "forward.py", "geometry.py"}


def test_geometry_reads_no_model(root: Path) -> None:
    provenance._imports.cache_clear()
    behind = provenance._reachable(root / "workflow/scripts/entropy.py")
    names = {module.name for module in behind}
    assert not names & {"models.py", "forward.py", "ridge.py", "checkpoints.py"}
