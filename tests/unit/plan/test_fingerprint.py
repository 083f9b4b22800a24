"""The fingerprint of a script covers what it imports, and nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from geomod.plan import fingerprint as module
from geomod.plan.fingerprint import fingerprint, modules_behind

Files = dict[str, str]
Made = Callable[[Files], Path]


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    forget()
    yield
    forget()


def forget() -> None:
    for function in vars(module).values():
        getattr(function, "cache_clear", lambda: None)()


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Writes a package `geomod` of the files given, and `script.py` beside it."""
    monkeypatch.setattr(module, "PACKAGE", tmp_path / "geomod")

    def write(files: Files) -> Path:
        for name, text in {"geomod/__init__.py": "", **files}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / "script.py"

    return write


def behind(script: Path) -> set[str]:
    return {name.removeprefix("geomod").lstrip(".") for name in modules_behind(script)} - {""}


WINGS = {
    "geomod/a/__init__.py": "",
    "geomod/a/one.py": "",
    "geomod/a/two.py": "from . import one",
    "geomod/a/three.py": "from ..b.one import x",
    "geomod/b/__init__.py": "from .two import x",
    "geomod/b/one.py": "import numpy",
    "geomod/b/two.py": "def f():\n    from geomod.a.one import y",
    "geomod/lazy/__init__.py": (
        "from typing import TYPE_CHECKING\n"
        "import importlib\n"
        "if TYPE_CHECKING:\n    from geomod.lazy.heavy import h\n"
        "HANDED_ON = {'h': 'geomod.lazy.heavy', 'l': '.light'}\n"
        "def __getattr__(name):\n"
        "    return getattr(importlib.import_module(HANDED_ON[name], __name__), name)\n"
    ),
    "geomod/lazy/heavy.py": "from geomod.a import two",
    "geomod/lazy/light.py": "",
}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("from geomod.a.one import x", "a a.one"),
        ("import geomod.a.one as one", "a a.one"),
        ("from geomod.a import one", "a a.one"),
        ("from geomod.a import x", "a"),
        ("from geomod.a import two", "a a.one a.two"),
        ("from geomod.b.one import x", "a a.one b b.one b.two"),
        ("from geomod.a.three import x", "a a.one a.three b b.one b.two"),
        ("from geomod.lazy import l", "lazy lazy.light"),
        ("from geomod.lazy import h", "a a.one a.two lazy lazy.heavy"),
        ("from geomod import lazy", "a a.one a.two lazy lazy.heavy lazy.light"),
        ("import geomod.lazy", "a a.one a.two lazy lazy.heavy lazy.light"),
        ("from geomod.lazy.light import x", "lazy lazy.light"),
        ("import importlib\nimportlib.import_module('geomod.a.one')", "a a.one"),
        ("from numpy import *", ""),
    ],
)
def test_imports_are_followed_as_python_does(made: Made, script: str, expected: str) -> None:
    assert behind(made({**WINGS, "script.py": script})) == set(expected.split())


def test_a_lazy_package_may_use_a_helper(made: Made) -> None:
    files = {
        "geomod/w/__init__.py": "from geomod.lazily import hand\n"
        "__getattr__ = hand(__name__, {'x': '.one', 'y': 'geomod.w.two'})",
        "geomod/lazily.py": "",
        "geomod/w/one.py": "",
        "geomod/w/two.py": "",
        "script.py": "from geomod.w import y",
    }
    assert behind(made(files)) == {"lazily", "w", "w.two"}


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("from geomod.a.one import *", r"import \*"),
        ("import importlib\nname = 'geomod.a'\nimportlib.import_module(name)", "line 3.*written"),
        ("__import__(input())", "not written out"),
        ("import geomod.absent", "no module geomod.absent"),
        ("from geomod.absent import x", "no module geomod.absent"),
        ("from . import x", "package"),
        ("from geomod.opaque import x", "no mapping"),
    ],
)
def test_what_cannot_be_followed_is_an_error(made: Made, script: str, said: str) -> None:
    opaque = {"geomod/opaque/__init__.py": "def __getattr__(name):\n    return find(name)"}
    with pytest.raises(ImportError, match=said):
        modules_behind(made({**WINGS, **opaque, "script.py": script}))


SCRIPT = {"script.py": "from geomod.a.one import f"}


def fingerprint_of(made: Made, text: str, name: str = "geomod/a/one.py") -> str:
    forget()
    return fingerprint(made({**WINGS, **SCRIPT, name: text}))


CODE = "def f(x):\n    return x + 1\n"


@pytest.mark.parametrize(
    "text",
    [
        "# said\n" + CODE,
        CODE + "\n\n# said at the end\n",
        '"""Said of the module."""\n' + CODE,
        'def f(x):\n    """Said of f."""\n    return x + 1\n',
        "def f(\n    x,\n):\n    return (x + 1)  # said\n",
    ],
)
def test_comments_docstrings_and_layout_do_not_count(made: Made, text: str) -> None:
    assert fingerprint_of(made, text) == fingerprint_of(made, CODE)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("geomod/a/one.py", CODE.replace("1", "2")),
        ("geomod/a/one.py", CODE.replace("x + 1", "'x + 1'")),
        ("geomod/a/__init__.py", "x = 1"),
        ("geomod/__init__.py", "x = 1"),
    ],
)
def test_an_edit_counts_where_it_is_imported(made: Made, name: str, text: str) -> None:
    before = fingerprint_of(made, CODE)
    forget()
    assert fingerprint(made({**WINGS, **SCRIPT, "geomod/a/one.py": CODE, name: text})) != before


def test_an_edit_elsewhere_does_not_count(made: Made) -> None:
    before = fingerprint_of(made, CODE)
    made({"geomod/a/two.py": "x = 1", "geomod/b/__init__.py": "x = 1"})
    forget()
    assert fingerprint(made({})) == before


DOOR = """
from typing import TYPE_CHECKING
from geomod.lazily import hand
if TYPE_CHECKING:
    from geomod.w.one import x as x
__getattr__ = hand(__name__, {"x": ".one"})
"""


@pytest.mark.parametrize(("script", "counts"), [("w import x", True), ("w.two import z", False)])
def test_what_a_door_hands_on_counts_for_those_who_go_through(
    made: Made, script: str, counts: bool
) -> None:
    """Else a new public name of a wing would run its forward passes again."""
    files = {f"geomod/{name}.py": "" for name in ("lazily", "w/one", "w/two")}
    script_file = {"script.py": f"from geomod.{script}"}
    before = fingerprint(made({**files, **script_file, "geomod/w/__init__.py": DOOR}))
    forget()
    moved = DOOR.replace('".one"}', '".two", "more": ".one"}').replace("x as x", "more as more")
    assert (fingerprint(made({"geomod/w/__init__.py": moved})) != before) == counts


def test_what_was_worked_out_of_these_very_files_is_not_worked_out_again(made: Made) -> None:
    script = made({**WINGS, **SCRIPT})
    before = fingerprint(script)
    memory = module._memory()
    memory.write_text(memory.read_text().replace(before, "remembered"))
    forget()
    assert fingerprint(script) == "remembered"
    (script.parent / "geomod/b/one.py").write_text("import scipy")  # any byte of the package
    forget()
    assert fingerprint(script) == before
    memory.write_text("half a mem")
    forget()
    assert fingerprint(script) == before


def test_modules_of_one_name_in_two_packages_are_two(made: Made) -> None:
    """Were base names hashed, what is in a.one and in b.one could change places unseen."""
    both = {"script.py": "from geomod.a import one\nfrom geomod.c import one as other"}
    files = {"geomod/a/__init__.py": "", "geomod/c/__init__.py": "", **both}
    there = fingerprint(made({**files, "geomod/a/one.py": "x = 1", "geomod/c/one.py": "x = 2"}))
    forget()
    swapped = {"geomod/a/one.py": "x = 2", "geomod/c/one.py": "x = 1"}
    assert fingerprint(made({**files, **swapped})) != there


@pytest.mark.parametrize(
    ("script", "needed", "not_needed"),
    [
        ("encoding", "ridge", "figures gallery config models geometry"),
        ("geometry", "geometry", "models models.forward ridge checkpoints"),
        ("activations", "models.passages", "fingerprint config"),
    ],
)
def test_scripts_import_narrowly(root: Path, script: str, needed: str, not_needed: str) -> None:
    names = behind(root / f"workflow/scripts/{script}.py")
    assert needed in names
    assert not names & set(not_needed.split())


def test_every_script_can_be_followed(root: Path) -> None:
    scripts = sorted((root / "workflow/scripts").glob("*.py"))
    assert all(map(modules_behind, scripts))
    assert len({fingerprint(script) for script in scripts}) > len(scripts) / 2
