"""Which sentences a model is fitted on and which it is scored on."""

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomod.base.errors import InputError

Scheme = Literal["shuffled", "contiguous", "grouped"]
Rows = NDArray[np.intp]
Split = tuple[Rows, Rows]


@dataclass(frozen=True)
class Block:
    """Rows that an inner fold leaves out, as positions within the training rows.

    The first `scored` of them are predicted. Those after lie too near to these to be fitted on.
    """

    rows: Rows
    scored: int

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def held_out(self) -> Rows:
        return self.rows[: self.scored]


class Splitter(Protocol):
    """What cuts rows into folds as scikit-learn's splitters do, such as `KFold(5)`."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Split]: ...


Folds = int | Splitter | Iterable[tuple[ArrayLike, ArrayLike]]
InnerFolds = int | Splitter | Literal["loo"]


def outer_folds(
    n: int,
    folds: Folds,
    seed: int,
    *,
    scheme: Scheme = "shuffled",
    groups: ArrayLike | None = None,
    gap: int = 0,
) -> list[Split]:
    """Training and test rows of every fold.

    A number of folds tests each of the `n` rows exactly once. `shuffled` is scikit-learn's
    `KFold(folds, shuffle=True, random_state=seed)`. `contiguous` cuts the rows into runs, for
    sentences whose neighbours resemble each other; training rows that lie within `gap` rows of a
    test row are then left out of both. `grouped` never puts rows of one group on both sides
    (`GroupKFold`). A splitter of scikit-learn, or (train, test) pairs of row numbers, are taken as
    they are, whatever the scheme; where there are groups, they must respect them.
    """
    if gap and (scheme != "contiguous" or not isinstance(folds, int | np.integer)):
        raise InputError(
            "a gap between training and test rows needs a number of contiguous folds; "
            "folds of other kinds need gap=0"
        )
    if not isinstance(folds, int | np.integer) or isinstance(folds, bool):
        return _own_folds(n, folds, groups)
    if scheme == "grouped":
        if groups is None:
            raise ValueError("grouped folds need the group of every row")
        names = _names(n, groups)
        distinct = len(np.unique(names))
        if distinct < folds:
            raise InputError(f"{distinct} groups cannot be parted into {folds} folds")
        from sklearn.model_selection import GroupKFold  # here: it takes as long as torch

        return list(GroupKFold(folds).split(names, groups=names))
    if not 2 <= folds <= n:
        raise InputError(f"{n} rows cannot be parted into {folds} folds")
    if scheme == "shuffled":
        order = np.random.RandomState(seed).permutation(n)
        return dealt(order, folds)
    if scheme == "contiguous":
        return [(_apart(train, test, gap), test) for train, test in dealt(np.arange(n), folds)]
    raise ValueError(f"unknown scheme {scheme!r}: shuffled, contiguous or grouped")


def dealt(order: Rows, folds: int) -> list[Split]:
    """Rows dealt to folds in their `order`, the first folds a row larger where they must be."""
    rows = np.arange(len(order))
    return [(np.setdiff1d(rows, test), np.sort(test)) for test in np.array_split(order, folds)]


def _apart(train: Rows, test: Rows, gap: int) -> Rows:
    """The training rows that are more than `gap` rows from every test row."""
    left = train[~_near(train, test, gap)]
    if not len(left):
        raise InputError(f"a gap of {gap} rows beside {len(test)} test rows leaves none to fit on")
    return left


def _near(rows: Rows, others: Rows, gap: int) -> NDArray[np.bool_]:
    """Which `rows` lie within `gap` of any of the others."""
    sorted_others = np.sort(others)
    after = np.searchsorted(sorted_others, rows)
    before = sorted_others[np.maximum(after - 1, 0)]
    beyond = sorted_others[np.minimum(after, len(others) - 1)]
    return np.minimum(np.abs(rows - before), np.abs(rows - beyond)) <= gap


def _own_folds(n: int, folds: Any, groups: ArrayLike | None) -> list[Split]:
    """The folds of a splitter, or those that are given as pairs, checked."""
    names = None if groups is None else _names(n, groups)
    if _is_splitter(folds):
        pairs = _split(folds, n, names)
    else:
        try:
            pairs = [(np.asarray(train), np.asarray(test)) for train, test in folds]
        except (TypeError, ValueError):
            raise InputError(
                f"folds must be a number, such as 5, a splitter of scikit-learn, such as KFold(5), "
                f"or a list of (train, test) pairs of row numbers, not {folds!r}"
            ) from None
    if not pairs:
        raise InputError("folds: an empty list has no fold")
    return [_checked(n, k, train, test, names) for k, (train, test) in enumerate(pairs)]


def _is_splitter(folds: Any) -> bool:
    return hasattr(folds, "split") and not isinstance(folds, str)


def _split(splitter: Splitter, n: int, names: NDArray[Any] | None) -> list[Split]:
    rows = np.empty((n, 1))
    try:
        with warnings.catch_warnings():  # of KFold, that it pays no heed to groups: see `_checked`
            warnings.simplefilter("ignore", UserWarning)
            return list(splitter.split(rows, groups=names))
    except (TypeError, ValueError) as error:
        raise InputError(f"{splitter!r} cannot part {n} rows: {error}") from error


def _checked(
    n: int, fold: int, train: NDArray[Any], test: NDArray[Any], names: NDArray[Any] | None
) -> Split:
    for side, rows in (("training", train), ("test", test)):
        if rows.ndim != 1 or not len(rows) or not np.issubdtype(rows.dtype, np.integer):
            raise InputError(f"fold {fold}: its {side} rows are no list of row numbers")
        if rows.min() < 0 or rows.max() >= n:
            raise InputError(f"fold {fold}: its {side} rows must lie within 0 and {n - 1}")
        if len(np.unique(rows)) < len(rows):
            raise InputError(f"fold {fold}: one of its {side} rows is there twice")
    both = np.intersect1d(train, test)
    if len(both):
        raise InputError(f"fold {fold}: row {both[0]} is fitted on and tested too")
    if names is not None:
        split = np.intersect1d(names[train], names[test])
        if len(split):
            raise InputError(
                f"fold {fold}: group {split[0]!s} is on both sides; GroupKFold keeps groups whole"
            )
    return train.astype(np.intp), test.astype(np.intp)


def _names(n: int, groups: ArrayLike) -> NDArray[Any]:
    names = np.asarray(groups)
    if names.shape != (n,):
        raise ValueError(f"{n} rows need {n} groups, but there are {names.shape}")
    return names


def inner_blocks(
    train: Rows,
    folds: InnerFolds,
    seed: int,
    *,
    scheme: Scheme = "shuffled",
    groups: ArrayLike | None = None,
    gap: int = 0,
) -> list[Block]:
    """What the inner folds leave out, as positions within `train`.

    They are cut as the outer folds are, over the training rows alone, or by a splitter that holds
    out each row once. `loo` leaves out one row at a time, or one group where the folds are grouped.
    With a `gap`, rows within it are left out too, but not predicted.
    """
    of_train = None if groups is None else np.asarray(groups)[train]
    if isinstance(folds, str) and folds == "loo":
        if scheme == "grouped" and of_train is not None:
            held = [np.flatnonzero(of_train == name) for name in np.unique(of_train)]
        else:
            held = list(np.arange(len(train))[:, None])
        return [_block(train, rows, gap) for rows in held]
    if not isinstance(folds, int | np.integer) and not _is_splitter(folds):
        raise InputError(
            "inner_folds must be a number, 'loo', or a splitter of scikit-learn: the rows that it "
            f"parts differ from outer fold to outer fold; not {folds!r}"
        )
    splits = outer_folds(len(train), folds, seed, scheme=scheme, groups=of_train)
    blocks = [held_out for _, held_out in splits]
    once = np.array_equal(np.sort(np.concatenate(blocks)), np.arange(len(train)))
    if not once or any(len(fitted) + len(held) < len(train) for fitted, held in splits):
        raise InputError(
            f"inner_folds: {folds!r} does not hold out each row once, fitting on all others; "
            "KFold and GroupKFold do"
        )
    return [_block(train, rows, gap) for rows in blocks]


def _block(train: Rows, held_out: Rows, gap: int) -> Block:
    """Rows to predict, and with them those within the gap, which neither fit."""
    if not gap:
        return Block(held_out, len(held_out))
    near = _near(train, train[held_out], gap)
    near[held_out] = False
    rows = np.concatenate([held_out, np.flatnonzero(near)])
    if len(rows) == len(train):
        raise InputError(f"a gap of {gap} rows leaves an inner fold without rows to fit on")
    return Block(rows, len(held_out))


def permuted_rows(
    n: int, permutations: int, seed: int, groups: ArrayLike | None = None
) -> NDArray[np.intp]:
    """Which row's response each row gets under the null hypothesis, `[permutations, n]`.

    Without groups every order of the rows is as likely as any other. With groups, whole groups
    change places and the order inside a group is kept, so that what neighbours share survives.
    A group that takes the place of a longer one starts over at its end, and that of a shorter one
    is cut: only among groups of one size is each row used once.
    """
    rng = np.random.default_rng([seed, 0x9E12])
    if groups is None:
        return np.array([rng.permutation(n) for _ in range(permutations)]).reshape(-1, n)
    membership = np.unique(np.asarray(groups), return_inverse=True)[1]
    members = [np.flatnonzero(membership == k) for k in range(membership.max() + 1)]
    orders = np.empty((permutations, n), dtype=np.intp)
    for order in orders:
        for place, source in enumerate(rng.permutation(len(members))):
            order[members[place]] = np.resize(members[source], len(members[place]))
    return orders
