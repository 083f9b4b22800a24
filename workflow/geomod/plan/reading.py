"""How configs are read, and what is said of a wrong one: the file, the key, what would be right."""

import datetime
import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import ValidationError

from geomod.base.errors import InputError
from geomod.plan.config.suites import PROVIDERS
from geomod.plan.config.whole import Config

# What a value must be, by pydantic's name of the error.
WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "too_short": "a list of at least one",
    "dict_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "string_pattern_mismatch": "a name of letters, digits, `.`, `_` and `-`",
}


def parse_config(values: Mapping[str, Any], source: str = "config") -> Config:
    """Validate `values`; one readable line a problem, with the file and the key."""
    try:
        return Config.model_validate(_with_seed_at_the_top(values, source))
    except ValidationError as error:
        problems: dict[str, list[str]] = {}
        hints: dict[str, str] = {}
        for problem in error.errors():
            key, words = _explain(dict(problem))
            problems.setdefault(key, []).append(words)
            hints[key] = hints.get(key) or _hint(dict(problem))
        # Where a list failed at one of its places, that it is no single text is beside the point.
        lines = [
            f"{source}: `{key}` {_either(words)}{hints[key]}"
            for key, words in problems.items()
            if not any(other.startswith(f"{key}.") for other in problems)
        ]
        raise InputError("\n".join(lines)) from None


def read_configs(
    paths: Iterable[str | Path], overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Read YAML files, later ones over earlier ones; a key given twice in one file is an error.

    `overrides` are those of the command line, `--config 'encoding={permutations: 0}'`. Snakemake
    hands on what stands inside braces as text, so every text is read as YAML once more.
    """
    values: dict[str, Any] = {}
    for path in paths:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise InputError(f"{path}: there is no such file; `--configfile` names one") from None
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
        try:
            found = yaml.load(text, Loader=_UniqueKeys)
        except yaml.YAMLError as error:
            raise InputError(f"{path}: not valid YAML: {error}") from None
        if not isinstance(found, dict):
            raise InputError(f"{path}: a config is a mapping of keys, not a {type(found).__name__}")
        values = merged(values, found)
    return merged(values, _as_yaml(dict(overrides or {})))


def merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with `changes` over them, section by section."""
    result = dict(values)
    for key, change in changes.items():
        section = result.get(key)
        if isinstance(section, Mapping) and isinstance(change, Mapping):
            result[key] = merged(section, change)
        else:
            result[key] = change
    return result


def moved_keys(values: Mapping[str, Any], source: str = "config") -> list[str]:
    """A line for each key that is still read at its old place, with the place of today."""
    if not _has_old_seed(values):
        return []
    return [
        f"{source}: `encoding.seed` is called `seed` now and stands at the top, beside `run`; "
        "it is read as that. Move it there."
    ]


def _has_old_seed(values: Mapping[str, Any]) -> bool:
    encoding = values.get("encoding")
    return isinstance(encoding, Mapping) and "seed" in encoding


def _with_seed_at_the_top(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The seed was a key of `encoding` before it was that of everything."""
    if not _has_old_seed(values):
        return dict(values)
    encoding = dict(values["encoding"])
    seed = encoding.pop("seed")
    if values.get("seed", seed) != seed:
        raise InputError(
            f"{source}: `seed` is {values['seed']!r} and `encoding.seed` is {seed!r}; keep `seed`, "
            "which is the seed of everything, and take the other out"
        )
    return {**values, "seed": seed, "encoding": encoding}


def _as_yaml(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _as_yaml(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_yaml(inner) for inner in value]
    return yaml.safe_load(value) if isinstance(value, str) else value


class _UniqueKeys(yaml.SafeLoader):
    """YAML lets a second key silently replace the first; here it is an error."""


def _mapping(loader: _UniqueKeys, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.MarkedYAMLError(
                problem=f"`{key}` stands here twice; keep one", problem_mark=key_node.start_mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _explain(problem: dict[str, Any]) -> tuple[str, str]:
    """The key of a problem, and in words what was wrong and what would be right."""
    location, provider = _location(problem)
    key, given = ".".join(location) or "(top level)", problem.get("input")
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        known = _keys_at(location[:-1], provider)
        near = difflib.get_close_matches(location[-1], known, n=1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        return key, f"is not a key; {hint}known here: {', '.join(known)}"
    if kind == "missing":
        return key, "is missing; config/README.md says what it means"
    if kind.startswith("union_tag"):
        return f"{key}.provider", f"must be one of {', '.join(PROVIDERS)}"
    if kind in WANTED:
        return key, f"is {given!r}; it must be {WANTED[kind]}"
    if kind == "literal_error":
        return key, f"is {given!r}; it must be {context['expected']}"
    if kind == "value_error":
        return key, problem["msg"].removeprefix("Value error, ")
    return key, f"is {given!r}; it {problem['msg'].removeprefix('Input ')}"


def _hint(problem: dict[str, Any]) -> str:
    """What a text may have been before YAML took it for something else."""
    given = problem.get("input")
    if problem["type"] != "string_type":
        return ""
    if isinstance(given, bool):
        return ": YAML reads words such as no and on as false and true; write it in quotes"
    if isinstance(given, int):
        return f': YAML reads 0{given} as {given}; write it in quotes, "0{given}" or "{given}"'
    if isinstance(given, float | datetime.date):
        return f': YAML reads it as a {type(given).__name__}; write it in quotes, "{given}"'
    return ""


def _either(words: list[str]) -> str:
    """The branches of a union fail one by one; say what was given once, and every right choice."""
    must = "; it must be "
    return " or ".join([words[0], *(branch.split(must)[-1] for branch in words[1:])])


_BRANCH = re.compile(r"int|constrained-int|str|literal\[.*|list\[.*|dict\[.*|function-after\[.*")


def _location(problem: dict[str, Any]) -> tuple[list[str], str | None]:
    """Where a problem lies, without the names pydantic adds for the branches of a union."""
    parts = [str(part) for part in problem["loc"]]
    provider = None
    if parts[:1] == ["suites"] and len(parts) > 2:
        provider = parts.pop(2)
    # The last part that names a branch; a list of text may have failed at one of its places.
    places = [i for i, part in enumerate(parts) if i > 0 and _BRANCH.fullmatch(part)]
    if places:
        parts = parts[: places[-1]] + parts[places[-1] + 1 :]
    return parts, provider


def _keys_at(location: list[str], provider: str | None) -> list[str]:
    """The keys that a config knows under `location`."""
    section: Any = Config
    for depth, part in enumerate(location):
        if location[0] == "suites" and depth == 1:
            section = PROVIDERS[provider or "train"]
        elif depth != 0 or part != "suites":
            section = _inside(section, part)
    return list(section.model_fields)


def _inside(section: Any, part: str) -> Any:
    """What a key of a section holds, or what every key of a mapping does."""
    if get_origin(section) is dict:
        return get_args(section)[1]
    if part.isdigit():  # a place in a list, of which all are alike
        return section
    held = section.model_fields[part].annotation
    if get_origin(held) is dict:
        return held
    return next((arm for arm in get_args(held) if arm is not type(None)), held)
