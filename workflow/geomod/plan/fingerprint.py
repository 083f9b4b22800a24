"""The code behind a script, as a hash: what runs again after an edit hangs on it.

Python's own rules are followed, without running anything: a module brings the `__init__` files of
the packages around it, a name that is imported from a package may be a module, and a package may
hand names on lazily (PEP 562):

    HANDED_ON = {"encode": "geomod.ridge.engine"}    # name → the module that it comes from


    def __getattr__(name): ...

A name that is imported from such a package brings the module that the mapping gives for it, and a
package that is imported as a whole brings them all.
"""

import ast
import hashlib
import json
import sys
from contextlib import suppress
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

import geomod
from geomod.base.files import whole

PACKAGE = Path(geomod.__file__).parent
BY_NAME = {"import_module", "__import__"}


@cache
def fingerprint(script: str | Path) -> str:
    """Hash of every geomod module that `script` imports, directly or through another.

    Snakemake sees an edited script, not an edited import; as a parameter of the rule this hash
    makes an edit in `geomod/ridge/engine.py` re-fit the encoding models, and nothing else.
    Comments, docstrings and layout do not count.
    """
    known, place = _known(), hashlib.sha256(Path(script).read_bytes()).hexdigest()
    if place not in known:
        digest = hashlib.sha256()
        for name in sorted(modules_behind(script)):
            digest.update(f"{name}\n{_code(_file(name))}\n".encode())
        known[place] = digest.hexdigest()[:16]
        with suppress(OSError), whole(_memory()) as temporary:  # nobody need be let write there
            temporary.write_text(json.dumps({"of": _sources(), "known": known}), encoding="utf-8")
    return known[place]


def _memory() -> Path:
    return PACKAGE / "__pycache__/fingerprints.json"


@cache
def _known() -> dict[str, str]:
    """What was worked out before of these very sources, by the hash of the script.

    To read all files again takes half of the time that a start of the workflow takes.
    """
    try:
        found = json.loads(_memory().read_text(encoding="utf-8"))
        return dict(found["known"]) if found["of"] == _sources() else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


@cache
def _sources() -> str:
    """Hash of every byte of the package, and of the Python that parses it."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(f"{path.relative_to(PACKAGE)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def modules_behind(script: str | Path) -> set[str]:
    """Dotted names of the geomod modules that run, or may run, where `script` runs."""
    found: set[str] = set()
    todo = _imports(Path(script), package="")
    while todo:
        found |= todo
        todo = set().union(*(_imports(_file(name), _package(name)) for name in todo)) - found
    return found


@cache
def _find(name: str) -> Path | None:
    """The file of a geomod module, None where there is no such module."""
    place = PACKAGE.joinpath(*name.split(".")[1:])
    files = (place / "__init__.py", place.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


def _file(name: str) -> Path:
    found = _find(name)
    if found is None:
        raise ImportError(f"there is no module {name}")
    return found


def _package(name: str) -> str:
    """What relative names in a module begin from."""
    return name if _file(name).name == "__init__.py" else name.rpartition(".")[0]


@cache
def _read(path: Path) -> tuple[ast.Module, list[ast.Import | ast.ImportFrom | ast.Call]]:
    """What a file does, without docstrings, and all in it that may import something.

    What stands under `if TYPE_CHECKING` never runs, and imports nothing.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), path)
    importing, todo = [], list[ast.AST]([tree])
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
            importing.append(node)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [line for line in node.body if not _is_text(line)]
        if isinstance(node, ast.If) and _last_name(node.test) == "TYPE_CHECKING":
            todo += node.orelse
        else:
            todo += ast.iter_child_nodes(node)
    return tree, importing


@cache
def _code(path: Path) -> str:
    """Hash of what a file does; what a package would hand on, if asked, is followed, not hashed."""
    body = [line for line in _read(path)[0].body if not _hands_on(line)]
    return hashlib.sha256(ast.dump(ast.Module(body, [])).encode()).hexdigest()


def _hands_on(line: ast.stmt) -> bool:
    match line:
        case ast.Assign(targets=[ast.Name(id="__getattr__")]):
            return True
        case ast.If(test=test, orelse=[]):
            return _last_name(test) == "TYPE_CHECKING"
    return False


@cache
def _imports(path: Path, package: str) -> set[str]:
    """The geomod modules that one file names, wherever in it the import stands."""
    found: set[str] = set()
    for node in _read(path)[1]:
        try:
            found |= _imported(node, package)
        except ImportError as error:
            raise ImportError(f"{path}, line {node.lineno}: {error}") from None
    return found


def _last_name(node: ast.AST) -> str:
    """`c` of the expressions `c` and `a.b.c`."""
    return getattr(node, "attr", getattr(node, "id", ""))


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and _is_constant_text(node.value)


def _is_constant_text(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _imported(node: ast.Import | ast.ImportFrom | ast.Call, package: str) -> set[str]:
    """The geomod modules that one statement or call brings along."""
    if isinstance(node, ast.Import):
        return set().union(*(_with_all_it_hands_on(alias.name) for alias in node.names))
    if isinstance(node, ast.ImportFrom):
        origin = resolve_name("." * node.level + (node.module or ""), package or None)
        return set().union(*(_named(origin, alias.name) for alias in node.names))
    if _last_name(node.func) in BY_NAME:
        match node.args:
            case [ast.Constant(value=str(name)), *_] if not name.startswith("."):
                return _with_all_it_hands_on(name)
        if not (package and _handed_on(package)):  # there the mapping says what may come
            raise ImportError("a module whose name is not written out cannot be followed")
    return set()


def _named(origin: str, name: str) -> set[str]:
    """What `from origin import name` brings: origin, and a module of that name or behind it."""
    if not _ours(origin):
        return set()
    if name == "*":
        raise ImportError(f"`from {origin} import *` cannot be followed; name what is wanted")
    found = _chain(origin)
    if _find(f"{origin}.{name}"):
        found |= _with_all_it_hands_on(f"{origin}.{name}")
    handed_on = _handed_on(origin)
    return found | _chain(handed_on[name]) if name in handed_on else found


def _with_all_it_hands_on(name: str) -> set[str]:
    if not _ours(name):
        return set()
    return _chain(name).union(*(_chain(module) for module in _handed_on(name).values()))


def _ours(name: str) -> bool:
    return name.split(".")[0] == "geomod"


def _chain(name: str) -> set[str]:
    """A module and the packages around it, whose `__init__` files run before it."""
    parts = name.split(".")
    chain = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
    return {module for module in chain if _file(module)}


@cache
def _handed_on(name: str) -> dict[str, str]:
    """Name → module that a package hands on by its `__getattr__`, empty where it has none."""
    lazy, names = False, dict[str, str]()
    for node in _read(_file(name))[0].body:
        match node:
            case ast.FunctionDef(name="__getattr__"):
                lazy = True
            case ast.Assign(targets=[ast.Name(id=target)], value=value):
                lazy |= target == "__getattr__"
                names |= _text_to_text(value, name)
            case ast.AnnAssign(value=ast.Dict() as value):
                names |= _text_to_text(value, name)
    if lazy and not names:
        raise ImportError(f"{name} has a __getattr__, but no mapping of name → module to follow")
    return names if lazy else {}


def _text_to_text(value: ast.AST, package: str) -> dict[str, str]:
    """The mappings of text to text that stand in an expression, the values as module names."""
    return {
        key: resolve_name(module, package)
        for node in ast.walk(value)
        if isinstance(node, ast.Dict) and all(map(_is_constant_text, [*node.keys, *node.values]))
        for key, module in ast.literal_eval(node).items()
    }
