"""Which sentences a model is fitted on and which it is scored on."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomod.base.errors import InputError

Scheme = Literal["shuffled", "contiguous", "grouped"]
Rows = NDArray[np.intp]
Split = tuple[Rows, Rows]


def outer_folds(
    n: int,
    folds: int,
    seed: int,
    *,
    scheme: Scheme = "shuffled",
    groups: ArrayLike | None = None,
) -> list[Split]:
    """Training and test rows of every fold; each of the `n` rows is tested exactly once.

    `shuffled` is scikit-learn's `KFold(folds, shuffle=True, random_state=seed)`. `contiguous` cuts
    the rows into runs, for sentences whose neighbours resemble each other. `grouped` never puts
    rows of one group on both sides (`GroupKFold`).
    """
    # Here, since it takes as long to import as torch does, and not every fit cuts folds.
    from sklearn.model_selection import GroupKFold, KFold

    if isinstance(folds, bool) or not isinstance(folds, int | np.integer):
        raise InputError(
            f"folds must be a whole number, such as 5, not {folds!r}: rows are cut by "
            "KFold(folds, shuffle=True, random_state=seed), or by GroupKFold where groups are given"
        )
    if scheme == "grouped":
        if groups is None:
            raise ValueError("grouped folds need the group of every row")
        names = np.asarray(groups)
        if names.shape != (n,):
            raise ValueError(f"{n} rows need {n} groups, but there are {names.shape}")
        distinct = len(np.unique(names))
        if distinct < folds:
            raise InputError(f"{distinct} groups cannot be parted into {folds} folds")
        return list(GroupKFold(folds).split(names, groups=names))
    if not 2 <= folds <= n:
        raise InputError(f"{n} rows cannot be parted into {folds} folds")
    if scheme == "shuffled":
        return list(KFold(folds, shuffle=True, random_state=seed).split(np.empty(n)))
    if scheme == "contiguous":
        return list(KFold(folds).split(np.empty(n)))
    raise ValueError(f"unknown scheme {scheme!r}: shuffled, contiguous or grouped")


def inner_blocks(
    train: Rows,
    folds: int | Literal["loo"],
    seed: int,
    *,
    scheme: Scheme = "shuffled",
    groups: ArrayLike | None = None,
) -> list[Rows]:
    """The held-out blocks of the inner folds, as positions within `train`.

    They are cut as the outer folds are, over the training rows alone. `loo` leaves out one row at a
    time, or one group where the folds are grouped.
    """
    of_train = None if groups is None else np.asarray(groups)[train]
    if folds == "loo":
        if scheme == "grouped" and of_train is not None:
            return [np.flatnonzero(of_train == name) for name in np.unique(of_train)]
        return list(np.arange(len(train))[:, None])
    splits = outer_folds(len(train), folds, seed, scheme=scheme, groups=of_train)
    return [held_out for _, held_out in splits]


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
