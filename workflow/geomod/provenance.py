"""Where a number comes from: the code and the config that made it."""

import ast
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent


def fingerprint(script: str | Path) -> str:
    """Hash of every geomod module that `script` imports, directly or through another.

    Snakemake sees an edited script, not an edited import; as a parameter of the rule this hash
    makes an edit in `geomod/ridge.py` re-fit the encoding models, and nothing else.
    """
    digest = hashlib.sha256()
    for module in sorted(_reachable(Path(script))):
        digest.update(module.name.encode())
        digest.update(module.read_bytes())
    return digest.hexdigest()[:16]


def of_checkpoint(checkpoint: Any) -> dict[str, str]:
    """What identifies the weights behind a number, as text that any header can hold."""
    names = ("revision", "commit", "sha256", "tokenizer_sha256")
    return {name: str(getattr(checkpoint, name)) for name in names}


def _reachable(script: Path) -> set[Path]:
    found: set[Path] = set()
    todo = set(_imports(script))
    while todo:
        module = todo.pop()
        found.add(module)
        todo |= set(_imports(module)) - found
    return found


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    """The geomod modules that one file names in its import statements, wherever they stand."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    modules = (name.removeprefix("geomod.") for name in names if name.startswith("geomod."))
    paths = (PACKAGE / f"{module.replace('.', '/')}.py" for module in modules)
    return tuple(path for path in paths if path.is_file())
