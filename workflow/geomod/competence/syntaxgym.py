"""SyntaxGym's suites: predictions about the surprisal of regions in sentences that differ in one.

A suite is a task, and each of its items a set of conditions: the same sentence in several forms,
cut into the same regions. An item is right if all predictions of the suite hold for it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from geomod.base.errors import InputError
from geomod.base.files import read_json
from geomod.base.sheets import listed, nearest
from geomod.competence.formulas import Formula, Region, parse
from geomod.competence.source import Source
from geomod.competence.task_set import ITEMS, Span, TaskSet, Text, check_once, draw, wide

# Surprisals for the score by chance: normal, and all above 0. Its SE is at most .004.
DRAWS, MEAN = 20_000, 10.0


class Item(NamedTuple):
    """Conditions of an item: the content of every region by its number."""

    item_id: str
    conditions: Mapping[str, Mapping[str, str]]
    where: str


class Suite(NamedTuple):
    """A task: its predictions, and the items that they speak about."""

    task: str
    formulas: Sequence[Formula]
    items: Sequence[Item]


class SyntaxGym(TaskSet):
    """Of each item, whether all predictions hold; the score of a suite is the mean over items.

    A sentence is its regions that are not empty, joined by one space, and a region owns the space
    before it. The surprisal of a region is the sum over its tokens, 0 where it is empty. Chance is
    the share of items that are right where surprisals are drawn at random, each region like any
    other (those that are empty stay 0); the uniform model's surprisals are the numbers of tokens.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.family = source.check_family(source.family or "formal", f"competence.{source.name}")
        suites: list[Suite] = []
        owner: dict[str, Path] = {}
        for path in source.paths():
            suites.append(_read(path))
            name = suites[-1].task
            if owner.setdefault(name, path) != path:
                raise InputError(f"{path}: its suite is called {name!r}, as that of {owner[name]}")
        self.suites = [
            suite._replace(
                items=[
                    suite.items[k]
                    for k in draw([suite.task] * len(suite.items), source.per_task, source.seed)
                ]
            )
            for suite in suites
        ]

    @property
    def names(self) -> list[str]:
        return [suite.task for suite in self.suites]

    def texts(self) -> list[Text]:
        return [
            _text(suite.task, item, condition)
            for suite in self.suites
            for item in suite.items
            for condition in item.conditions
        ]

    def items(self, spans: pd.DataFrame) -> pd.DataFrame:
        order = [(suite.task, item.item_id) for suite in self.suites for item in suite.items]
        parts = wide(spans, order)
        found = []
        for suite in self.suites:
            rows = [(suite.task, item.item_id) for item in suite.items]
            log_p, tokens = (parts[name].loc[rows] for name in ("log_p", "tokens"))
            found.append(
                pd.DataFrame(rows, columns=["task", "item_id"]).assign(
                    score=[_right(suite, -log_p.iloc[k], k) for k in range(len(rows))],
                    chance=chance(suite),
                    uniform=[_right(suite, tokens.iloc[k], k) for k in range(len(rows))],
                )
            )
        nothing = {"log_p_good": np.nan, "log_p_bad": np.nan, "alternative": np.nan}
        table = pd.concat(found, ignore_index=True).assign(
            family=self.family, tokens_good=0, tokens_bad=0, **nothing
        )
        return table[ITEMS]


def _text(task: str, item: Item, condition: str) -> Text:
    """A sentence, and its regions that are not empty."""
    text, spans = "", []
    for number, content in item.conditions[condition].items():
        if content:
            start = len(text)
            text = f"{text} {content}" if text else content
            part = _part(condition, number)
            spans.append(Span(task, item.item_id, part, start, len(text)))
    return Text(text, tuple(spans), f"{item.where}, condition {condition!r}")


def _part(condition: str, number: str) -> str:
    return f"{condition}/{number}"


def _right(suite: Suite, surprisals: pd.Series, item: int) -> float:
    """1 if all predictions hold for an item of the suite, else 0."""
    known: dict[Region, float] = {}
    for condition, regions in suite.items[item].conditions.items():
        for number, content in regions.items():
            value = float(surprisals[_part(condition, number)]) if content else 0.0
            known[number, condition] = value
        known["*", condition] = sum(known[number, condition] for number in regions)
    return float(all(formula.holds(known) for formula in suite.formulas))


def chance(suite: Suite) -> list[float]:
    """For each item, how often all predictions hold where surprisals are drawn at random."""
    by_shape: dict[Any, float] = {}
    found = []
    for item in suite.items:
        shape = tuple(
            (condition, number, bool(content))
            for condition, regions in item.conditions.items()
            for number, content in regions.items()
        )
        if shape not in by_shape:
            by_shape[shape] = _chance(suite.formulas, shape)
        found.append(by_shape[shape])
    return found


def _chance(formulas: Sequence[Formula], shape: Sequence[tuple[str, str, bool]]) -> float:
    rng = np.random.default_rng(0)
    known: dict[Region, Any] = {}
    for condition, number, filled in shape:
        known[number, condition] = rng.normal(MEAN, size=DRAWS) if filled else np.zeros(DRAWS)
        whole = known.get(("*", condition), 0.0)
        known["*", condition] = whole + known[number, condition]
    return float(np.mean(np.all([formula.holds(known) for formula in formulas], axis=0)))


# --- Files --------------------------------------------------------------------------------------


def _read(path: Path) -> Suite:
    values = read_json(path)
    meta = _get(values, "meta", dict, path)
    name = _get(meta, "name", str, f"{path}: meta")
    if meta.get("metric", "sum") != "sum":
        raise InputError(f"{path}: its metric is {meta['metric']!r}; regions are summed here")
    items = [
        _item(item, f"{path}, item {number} (from 1)")
        for number, item in enumerate(_get(values, "items", list, path), start=1)
    ]
    check_once([(name, item.item_id) for item in items], [item.where for item in items])
    formulas = []
    predictions = _get(values, "predictions", list, path)
    for number, prediction in enumerate(predictions, start=1):
        where = f"{path}, prediction {number} (from 1)"
        if _get(prediction, "type", str, where) != "formula":
            raise InputError(f"{where}: its type is {prediction['type']!r}; only formulas are read")
        try:
            formula = parse(_get(prediction, "formula", str, where))
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        for item in items:
            _check_regions(formula, item, where)
        formulas.append(formula)
    if not items or not formulas:
        raise InputError(f"{path}: a suite needs items and predictions, and one of them is empty")
    return Suite(name, formulas, items)


def _item(values: Any, where: str) -> Item:
    conditions: dict[str, dict[str, str]] = {}
    for condition in _get(values, "conditions", list, where):
        name = _get(condition, "condition_name", str, where)
        regions = _get(condition, "regions", list, f"{where}, condition {name!r}")
        conditions[name] = {
            str(_get(region, "region_number", int, f"{where}, condition {name!r}")): _get(
                region, "content", str, f"{where}, condition {name!r}"
            ).strip()
            for region in regions
        }
        if not any(conditions[name].values()):
            raise InputError(f"{where}, condition {name!r}: all of its regions are empty")
    return Item(str(_get(values, "item_number", int, where)), conditions, where)


def _check_regions(formula: Formula, item: Item, where: str) -> None:
    for number, condition in sorted(formula.regions):
        if condition not in item.conditions:
            known = list(item.conditions)
            raise InputError(
                f"{where}: {formula.text!r} names the condition {condition!r}, which "
                f"{item.where.rsplit(', ', 1)[-1]} does not have.{nearest(condition, known)} "
                f"It has {listed(known)}"
            )
        if number != "*" and number not in item.conditions[condition]:
            raise InputError(
                f"{where}: {formula.text!r} names region {number} of {condition!r}, which has "
                f"regions {listed(item.conditions[condition])}"
            )


def _get(values: Any, key: str, kind: type, where: Any) -> Any:
    """The value of `key`, which has to be of a `kind`."""
    if not isinstance(values, Mapping) or not isinstance(values.get(key), kind):
        found = repr(values.get(key))[:40] if isinstance(values, Mapping) else repr(values)[:40]
        wanted = {dict: "keys and values", list: "a list", str: "text", int: "a whole number"}
        raise InputError(f"{where}: `{key}` must be {wanted[kind]}, and is {found}")
    return values[key]
