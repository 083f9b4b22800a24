"""Wings hand on their public names, lazily, and nobody inside goes through that door."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import geomod
from geomod.plan.fingerprint import modules_behind

PACKAGE = Path(geomod.__file__).parent
WINGS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def door(wing: str) -> ast.Module:
    return ast.parse((PACKAGE / wing / "__init__.py").read_text(encoding="utf-8"))


def handed_on(wing: str) -> dict[str, str]:
    """Name → file, as the running program has it."""
    found = [node for node in ast.walk(door(wing)) if isinstance(node, ast.Dict)]
    return {name: file for node in found for name, file in ast.literal_eval(node).items()}


def shown(wing: str) -> dict[str, str]:
    """Name → file, as type checkers and editors have it."""
    return {
        alias.asname or alias.name: (node.module or "").removeprefix(f"geomod.{wing}")
        for branch in door(wing).body
        if isinstance(branch, ast.If)
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


NAMES = [(wing, name) for wing in WINGS for name in handed_on(wing)]


@pytest.mark.parametrize("wing", WINGS)
def test_type_checkers_see_the_names_that_programs_find(wing: str) -> None:
    assert shown(wing) == handed_on(wing)


@pytest.mark.parametrize(("wing", "name"), NAMES)
def test_a_name_is_that_of_its_file_and_of_no_file(wing: str, name: str) -> None:
    file = import_module(handed_on(wing)[name], f"geomod.{wing}")
    package = import_module(f"geomod.{wing}")
    assert getattr(package, name) is getattr(file, name)
    assert not (PACKAGE / wing / f"{name}.py").exists(), "the file would take the name's place"
    assert dir(package) == package.__all__ == sorted(handed_on(wing))


def test_what_is_not_handed_on_is_missing_in_words() -> None:
    with pytest.raises(AttributeError, match=r"module 'geomod.ridge' has no attribute 'enocde'"):
        _ = geomod.ridge.enocde  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="cannot import name 'enocde'"):
        exec("from geomod.ridge import enocde")


def modules_after(program: str) -> set[str]:
    """Top-level names of what a fresh Python has imported."""
    program += "\nimport sys; print(*sys.modules)"
    environment = {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_a_wing_is_cheap_until_a_name_is_asked_for() -> None:
    program = "\n".join(f"import geomod.{wing}; dir(geomod.{wing})" for wing in WINGS)
    assert not modules_after(program) & {"numpy", "pandas", "torch", "sklearn", "matplotlib"}


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """(package, name) of every `from geomod.x import name` in a file, and (package, "") of
    `import geomod.x`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


@pytest.mark.parametrize("folder", ["workflow", "benchmarks"])
def test_no_code_of_ours_imports_through_a_door(root: Path, folder: str) -> None:
    """Else the fingerprint of a script would hang on more than it uses."""
    through = [
        f"{path}: {package} {name}"
        for path in (root / folder).rglob("*.py")
        for package, name in imports(path)
        if package.removeprefix("geomod.") in WINGS
        and not (PACKAGE / package.removeprefix("geomod.") / f"{name}.py").is_file()
    ]
    assert through == []


@pytest.mark.parametrize(
    ("line", "behind", "not_behind"),
    [
        ("from geomod.ridge import encode", "ridge.engine", "ridge.banded"),
        ("from geomod.geometry import rankme", "geometry.sets", "geometry.measuring"),
        ("from geomod.base import InputError", "base.errors", "base.tables"),
    ],
)
def test_a_fingerprint_follows_a_name_and_no_other(
    tmp_path: Path, line: str, behind: str, not_behind: str
) -> None:
    script = tmp_path / "script.py"
    script.write_text(line, encoding="utf-8")
    names = {name.removeprefix("geomod.") for name in modules_behind(script)}
    assert behind in names
    assert not_behind not in names
