"""A model beside its tuned version: what tuning does to alignment, geometry and competence.

Both are read at their last checkpoint, with the same texts and the same tokens. A pair's interval
is over its own units (participants, sentences, items), and says how well these two models are
known; whether *tuning* does something is asked over pairs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from geomod.base.errors import InputError
from geomod.curves.curves import AVERAGE, HEADLINE
from geomod.curves.estimates import mean_and_se, t_interval

Array = NDArray[np.float64]

ALL = "all"  # in the columns `base` and `tuned`: the mean over pairs
COLUMNS = [
    *("base", "tuned", "quantity", "name"),
    *("value_base", "value_tuned", "difference", "low", "high", "p", "units"),
]


@dataclass(frozen=True)
class Measured:
    """What was measured of the last checkpoint of a model, with one dataset."""

    model: str
    encoding: pd.DataFrame  # region, participant, layer, score
    geometry: pd.DataFrame  # item_id, layer, metric, variant, value
    tokens: pd.DataFrame  # item_id, read
    items: pd.DataFrame | None = None  # task, item_id, score
    spans: pd.DataFrame | None = None  # task, item_id, part, read
    tasks: pd.DataFrame | None = None  # task, family, chance, ceiling


@dataclass(frozen=True)
class Change:
    """One number of a pair: its value in both, and the error of the difference."""

    quantity: str  # "alignment", "geometry" or "competence"
    name: str  # of the region, metric or family
    values: Array  # in the model, and in its tuned version
    se: float
    freedom: float
    units: int


def compare(
    pairs: Sequence[tuple[Measured, Measured]],
    variants: Mapping[str, str] = HEADLINE,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """A row a pair and quantity, and one over all pairs, with the columns of COLUMNS.

    Differences are tuned − base. Their intervals and p are those of t: of a pair over its units, of
    all over pairs.
    """
    rows = []
    every: dict[tuple[str, str], list[Change]] = {}
    for base, tuned in pairs:
        check_same_texts(base, tuned)
        for change in changes(base, tuned, variants):
            every.setdefault((change.quantity, change.name), []).append(change)
            rows.append((base.model, tuned.model, *_row(change, alpha)))
    rows += [(ALL, ALL, *_row(_over_pairs(found), alpha)) for found in every.values()]
    return pd.DataFrame(rows, columns=COLUMNS)


def check_same_texts(base: Measured, tuned: Measured) -> None:
    """Refuse two models to which a text is not the same tokens, or that are not equally deep."""
    blocks = [int(each.encoding["layer"].max()) for each in (base, tuned)]
    if blocks[0] != blocks[1]:
        raise InputError(
            f"`pairs_of_models`: {base.model} has {blocks[0]} blocks, {tuned.model} {blocks[1]}, "
            "so that neither is a tuned version of the other; take the pair out"
        )
    _check_tokens("sentence {item_id!r}", base, tuned, base.tokens, tuned.tokens, ["item_id"])
    if base.spans is not None and tuned.spans is not None:
        what, key = "task {task!r}, item {item_id!r} ({part})", ["task", "item_id", "part"]
        _check_tokens(what, base, tuned, base.spans, tuned.spans, key)


def _check_tokens(
    what: str,
    base: Measured,
    tuned: Measured,
    first: pd.DataFrame,
    second: pd.DataFrame,
    key: Sequence[str],
) -> None:
    both = first.merge(second, on=list(key), suffixes=("", "_tuned"))
    differ = both[both["read"] != both["read_tuned"]]
    if len(differ):
        row = differ.iloc[0]
        place, own, other = _first_difference(row["read"], row["read_tuned"])
        raise InputError(
            f"`pairs_of_models`: {what.format(**row)} is read differently: its token {place} "
            f"(from 0) is {own} to {base.model} and {other} to {tuned.model}; {len(differ)} of "
            f"{len(both)} differ. What comes out would be about tokenizers: give both suites one "
            "`tokenizer`, or take the pair out"
        )


def _first_difference(first: str, second: str) -> tuple[int, str, str]:
    """Where two texts first have another token, and both tokens, as id and name."""
    pairs = zip_longest(first.split(" "), second.split(" "))
    place, tokens = next((at, pair) for at, pair in enumerate(pairs) if pair[0] != pair[1])
    own, other = (_named(token) for token in tokens)
    return place, own, other


def _named(token: str | None) -> str:
    if token is None:
        return "none"
    number, _, name = token.partition(":")
    return f"{name!r} ({number})"


def changes(base: Measured, tuned: Measured, variants: Mapping[str, str]) -> Iterator[Change]:
    """Every number of a pair."""
    yield from _alignment(base.encoding, tuned.encoding)
    for metric, variant in variants.items():
        first, second = (_by_sentence(each.geometry, metric, variant) for each in (base, tuned))
        both = pd.concat([first, second], axis=1, join="inner").to_numpy(dtype=float)
        both = both[np.isfinite(both).all(axis=1)]
        if len(both):
            _, se, freedom = mean_and_se(both[:, 1] - both[:, 0])
            yield Change("geometry", metric, both.mean(axis=0), se, freedom, len(both))
    if base.items is not None and tuned.items is not None and base.tasks is not None:
        yield from _competence(base.items, tuned.items, base.tasks)


def _alignment(base: pd.DataFrame, tuned: pd.DataFrame) -> Iterator[Change]:
    """Score of each region, mean over blocks; participants are the units.

    The average brain is predicted better than people are on average, so the error of their mean
    difference is brought to its size.
    """
    first, second = (_by_person(each) for each in (base, tuned))
    for region in first.index.intersection(second.index, sort=False):
        both = pd.concat([first.loc[region], second.loc[region]], axis=1, join="inner").dropna()
        if AVERAGE not in both.index:
            continue
        average, people = both.loc[AVERAGE].to_numpy(), both.drop(AVERAGE).to_numpy()
        se, freedom = np.nan, 0.0
        if len(people) > 1:
            _, se, freedom = mean_and_se(people[:, 1] - people[:, 0])
            mean = people.mean()
            se *= average.mean() / mean if mean > 0 and average.mean() > mean else 1.0
        yield Change("alignment", str(region), average, se, freedom, len(people))


def _by_person(encoding: pd.DataFrame) -> pd.DataFrame:
    """Mean score over the blocks [region, participant]."""
    blocks = encoding[encoding["layer"] > 0].astype({"participant": str})
    return blocks.pivot_table("score", "region", "participant", sort=False)


def _by_sentence(geometry: pd.DataFrame, metric: str, variant: str) -> pd.Series:
    """Mean over the blocks of one variant of a metric, by item_id; NaN where one has none."""
    own = (geometry["metric"] == metric) & (geometry["variant"] == variant)
    values = geometry[own & (geometry["layer"] > 0)].groupby("item_id", sort=False)["value"]
    return values.mean().where(values.count() == values.size())


def _competence(base: pd.DataFrame, tuned: pd.DataFrame, tasks: pd.DataFrame) -> Iterator[Change]:
    """Share of the known range, mean over the tasks of a family; items are the units.

    Families without a ceiling, such as reading times, are told by their score above chance.
    """
    both = base.merge(tuned, on=["task", "item_id"], suffixes=("", "_tuned"))
    both = both.dropna(subset=["score", "score_tuned"])
    for family, own in tasks.groupby("family", sort=False):
        known = own[own["ceiling"].notna()]
        values, variances, freedom, units = [], [], 0, 0
        for task in (known if len(known) else own).itertuples():
            items = both.loc[both["task"] == task.task, ["score", "score_tuned"]].to_numpy()
            if len(items) < 2:
                continue
            width = task.ceiling - task.chance if len(known) else 1.0
            shares = (items - task.chance) / width
            values.append(shares.mean(axis=0))
            variances.append(np.var(shares[:, 1] - shares[:, 0], ddof=1) / len(items))
            freedom, units = freedom + len(items) - 1, units + len(items)
        if values:
            se = float(np.sqrt(np.sum(variances)) / len(values))
            yield Change("competence", str(family), np.mean(values, axis=0), se, freedom, units)


def _over_pairs(found: Sequence[Change]) -> Change:
    """Their mean, pairs being the units."""
    values = np.array([each.values for each in found])
    _, se, freedom = mean_and_se(values[:, 1] - values[:, 0])
    quantity, name = found[0].quantity, found[0].name
    return Change(quantity, name, values.mean(axis=0), se, freedom, len(found))


def _row(change: Change, alpha: float) -> tuple[str | float | int, ...]:
    base, tuned = map(float, change.values)
    difference = tuned - base
    low, high = t_interval(difference, change.se, change.freedom, alpha)
    p = np.nan
    if change.se > 0 and change.freedom > 0:
        p = float(2 * stats.t.sf(abs(difference) / change.se, change.freedom))
    told = (change.quantity, change.name, base, tuned)
    return (*told, difference, low, high, p, change.units)
