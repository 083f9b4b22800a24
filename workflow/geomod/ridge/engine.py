"""Ridge encoding models by nested cross-validation, for all layers, targets and permutations.

The model of a target y minimizes |y − b − Xw|² + α|w|², with a free intercept b.
How one factorization (`geomod.ridge.factor`) answers for every penalty and inner fold: see
`geomod.ridge.held_out`.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from geomod.base.arrays import as_array
from geomod.base.errors import InputError
from geomod.base.workers import in_threads, on_streams
from geomod.ridge.both_loops import BesideBoth, BothLoops, FittedInBoth, leave_out_alike
from geomod.ridge.delays import GAP, Delays
from geomod.ridge.fits import Designs, Fit, Fitted, Floats, Fold, Layers, fit_targets, smoothers
from geomod.ridge.folds import (
    Folds,
    InnerFolds,
    Scheme,
    inner_blocks,
    outer_folds,
    permuted_rows,
)
from geomod.ridge.scores import Smoother, null_r, p_values, scores

logger = logging.getLogger(__name__)

Outcome = tuple[Floats, Floats, int, Floats, Floats]  # r, R², undefined ones, penalties, null

ALPHAS = tuple(np.logspace(-2, 8, 21))  # the config's default too

# Targets that are fitted together. Tens of thousands need less memory in parts, and little more
# time: what is made again for each part is small beside applying it.
TOGETHER = 5120

# Layers and folds that share a GPU: one small matrix after another leaves most of it idle.
STREAMS = 3


@dataclass(frozen=True)
class Encoding:
    """Scores of every layer, outer fold and target, arrays `[layers, folds, targets]`.

    A prediction or a response that does not vary explains nothing: its r is 0 by definition, and
    so is the R² of a constant response. `constant` counts how often that was so.
    """

    r: Floats
    r2: Floats
    alpha: Floats
    alphas: Floats
    constant: int
    p_permutation: Floats | None = None  # [layers, targets]
    null: Floats | None = None  # [layers, permutations, targets]
    # [layers, n, targets], each row by the fold that tests it, NaN where none does
    predictions: Floats | None = None

    @property
    def score(self) -> Floats:
        """Mean over the outer folds of Pearson r, `[layers, targets]`."""
        return self.r.mean(axis=1)

    @property
    def score_sd(self) -> Floats:
        """SD over the outer folds of Pearson r (ddof 1), `[layers, targets]`."""
        return self.r.std(axis=1, ddof=1)

    @property
    def alpha_median(self) -> Floats:
        """Median over the outer folds of the penalty, `[layers, targets]`."""
        return np.median(self.alpha, axis=1)

    @property
    def at_edge(self) -> tuple[int, int]:
        """How many penalties were chosen at the grid's lowest and at its highest value."""
        low, high = self.alphas.min(), self.alphas.max()
        return int((self.alpha == low).sum()), int((self.alpha == high).sum())


def encode(
    features: ArrayLike | Mapping[Any, ArrayLike],
    responses: ArrayLike,
    *,
    alphas: ArrayLike = ALPHAS,
    folds: Folds = 5,
    inner_folds: InnerFolds = 5,
    scheme: Scheme | None = None,
    groups: ArrayLike | None = None,
    gap: int | None = None,
    delays: Delays | None = None,
    standardize: bool = True,
    match_width: int | None = None,
    permutations: int = 0,
    seed: int = 0,
    device: str = "cpu",
    memory_mb: float = 512,
    keep_predictions: bool = False,
    beside: Callable[[Fitted], object] | None = None,
) -> Encoding:
    """Predict `responses` `[n, targets]` from `features` `[n, width]` or `[layers, n, width]`.

    Features may also be layer → `[n, width]`, whose widths may differ: layers then come in the
    order of the mapping. Responses `[n]` are one target. NumPy arrays and PyTorch tensors will do.

    Features are centred, and with `standardize` divided by their SD, on the rows of each outer
    training fold; `match_width` then keeps that many principal components of those rows. Within
    an outer fold every target gets the penalty of least squared error, summed over the inner
    held-out rows (the first of `alphas` that attains it), is refitted on all training rows and
    scored on the test rows.

    `folds` and `inner_folds` are numbers, or splitters of scikit-learn such as
    `KFold(5, shuffle=True, random_state=0)`; `folds` may be a list of (train, test) pairs of row
    numbers too, `inner_folds` `"loo"`. Numbers cut rows as `scheme` says (`shuffled` if nothing is
    said), and never a group where `groups` are given.

    With `delays`, rows of features and responses are TRs of stories: features are z-scored and
    delayed within them and responses z-scored, as `geomod.ridge.delays` says, and nothing is
    standardized further. Folds then part whole stories if nothing else is said, or one story
    into contiguous parts, with a `gap` of 10 TRs about each that is not fitted on.

    With `permutations`, the rows of the responses are permuted (whole groups where folds are
    grouped; turned round within each story where they are delayed) and refitted with the penalties
    that the real responses chose. Layers and folds are dealt to as many cores as torch may use.
    `beside` is called with each layer and fold as soon as it is fitted, by the core that did:
    models that share its factorization (`geomod.ridge.banded`) cost little there.
    """
    x, y, grid = checked(features, responses, alphas, delays)
    cut = cutting(scheme, groups, gap, delays)
    splits = outer_folds(len(y), folds, seed, **cut)
    inner = [inner_blocks(train, inner_folds, seed, **cut) for train, _ in splits]
    if delays is None:
        drawn_rows = permuted_rows(len(y), permutations, seed, cut["groups"])
    else:
        drawn_rows = delays.shifts(permutations, seed)
    orders = torch.as_tensor(drawn_rows.T, device=device)
    targets = torch.as_tensor(y, device=device)
    penalties = torch.as_tensor(grid, device=device)

    workers = torch.get_num_threads() if device == "cpu" else STREAMS
    memory = memory_mb / workers
    sides_of = Designs(x, delays, standardize=standardize, device=device)
    shape = (len(x), len(splits), y.shape[1])
    together = y.shape[1] if beside is not None else TOGETHER
    parts = [slice(k, k + together) for k in range(0, y.shape[1], together)]
    predictions = np.full((len(x), *y.shape), np.nan) if keep_predictions else None
    cuts = enumerate(zip(splits, inner, strict=True))
    folded = [Fold(k, *cut, penalties, memory) for k, cut in cuts]
    left_out = [test for _, test in splits]
    tested = np.concatenate(left_out)
    if keep_predictions and len(np.unique(tested)) < len(tested):
        raise InputError("keep_predictions: folds that overlap test some rows twice")

    def outcome(task: tuple[int, int]) -> list[Outcome]:
        layer, fold = task
        split, blocks = splits[fold], inner[fold]
        sides = sides_of(layer, split)
        factor = sides.factorize(match_width, fast=y.shape[1] <= len(split[1]))
        basis = cache(lambda: sides.onto(factor.u.double()))
        smoother, chosen = smoothers(factor, basis), factor.penalties(penalties)
        found = []
        for part in parts:
            some = targets[:, part].double()
            fit = fit_targets(sides, factor, some[split[0]], penalties, blocks, memory, match_width)
            if beside is not None:
                beside(
                    Fitted(
                        **vars(folded[fold]),
                        layer=layer,
                        sides=sides,
                        targets=some,
                        factor=factor,
                        fit=fit,
                        basis=basis,
                    )
                )
            found.append(scored(task, part, some, fit.best, fit.explained, chosen, smoother))
        return found

    def scored(
        task: tuple[int, int],
        part: slice,
        some: Tensor,
        best: Tensor,
        explained: Tensor,
        chosen: Tensor,
        smoother: Smoother,
    ) -> Outcome:
        layer, fold = task
        split = splits[fold]
        if predictions is not None:
            mean = some[split[0]].mean(dim=0)
            predictions[layer, split[1], part] = (mean + explained).cpu()
        drawn = null_r(smoother, some, split, orders, chosen[best], memory)
        return *scores(explained, some, split), grid[best.cpu().numpy()], drawn

    def of_layer(layer: int) -> list[list[Outcome]]:
        """The same of each of its folds, from one factorization."""
        everything = np.arange(len(y))
        sides = sides_of(layer, (everything, everything[:1]))
        factor, found = sides.factorize(), []
        for part in parts:
            some = targets[:, part].double()
            loops = BothLoops(factor, some, penalties, splits, memory)
            fits = loops.fits(deal)
            if isinstance(beside, BesideBoth):
                beside.in_both_loops(FittedInBoth(layer, folded, sides, loops, some, fits, deal))
            fold = partial(of_fold, loops, fits, layer, part, some)
            found.append(list(deal(fold, range(len(splits)))))
        return [list(outcomes) for outcomes in zip(*found, strict=True)]

    def of_fold(
        loops: BothLoops, fits: list[Fit], layer: int, part: slice, some: Tensor, fold: int
    ) -> Outcome:
        fit, smoother = fits[fold], partial(loops.smoother, fold)
        return scored((layer, fold), part, some, fit.best, fit.explained, loops.penalties, smoother)

    r, r2, alpha = np.empty(shape), np.empty(shape), np.empty(shape)
    null = np.zeros((len(x), permutations, y.shape[1]))
    constant = 0
    tasks = list(np.ndindex(shape[:2]))
    run = outcome if device == "cpu" else on_streams(outcome)
    alike = (
        delays is not None
        and not match_width
        and (beside is None or isinstance(beside, BesideBoth))
        and device == "cpu"
        # Of fewer columns than rows that are left out, refits are less work.
        and min(layer.shape[1] for layer in x) * len(delays.delays) > max(map(len, left_out))
        and leave_out_alike(splits, inner, len(y))
    )
    if alike:
        # Layers are dealt to cores, or what is to do for each, where there are more cores.
        cores = workers if len(x) >= workers else 1
        deal = partial(in_threads, workers=workers // cores)
        by_layer = in_threads(of_layer, range(len(x)), cores)
        outcomes: Iterable[list[Outcome]] = chain.from_iterable(by_layer)
    else:
        outcomes = in_threads(run, tasks, workers)
    for task, found in zip(tasks, outcomes, strict=True):
        for part, (*own, undefined, chosen, drawn) in zip(parts, found, strict=True):
            r[task][part], r2[task][part], alpha[task][part] = *own, chosen
            constant += undefined
            null[task[0]][:, part] += drawn / len(splits)
        if task[1] == len(splits) - 1:
            logger.info("%d of %d layers", task[0] + 1, len(x))

    encoding = Encoding(
        r=r,
        r2=r2,
        alpha=alpha,
        alphas=grid,
        constant=constant,
        p_permutation=p_values(r.mean(axis=1), null) if permutations else None,
        null=null if permutations else None,
        predictions=predictions,
    )
    _warn(encoding)
    return encoding


def cutting(
    scheme: Scheme | None, groups: ArrayLike | None, gap: int | None, delays: Delays | None
) -> dict[str, Any]:
    """How rows are cut into folds, where something is left unsaid."""
    if delays is not None:
        if groups is not None:
            groups = np.asarray(groups)[delays.kept]
        elif scheme in (None, "grouped") and len(delays.kept_runs) > 1:
            groups = delays.groups
        elif scheme is None:
            scheme = "contiguous"
        if gap is None and scheme == "contiguous":
            gap = GAP
    scheme = "grouped" if groups is not None else scheme or "shuffled"
    return {"scheme": scheme, "groups": groups, "gap": gap or 0}


def normalize(score: ArrayLike, ceiling: ArrayLike) -> Floats:
    """Score over noise ceiling, not clipped; NaN where the ceiling is not above 0."""
    top = np.asarray(ceiling, dtype=np.float64)
    return np.asarray(score, dtype=np.float64) / np.where(top > 0, top, np.nan)


def checked(
    features: ArrayLike | Mapping[Any, ArrayLike],
    responses: ArrayLike,
    alphas: ArrayLike,
    delays: Delays | None = None,
) -> tuple[Layers, NDArray[np.floating], Floats]:
    """The layers' features `[n, width]`, responses `[n, targets]` in float64, and the penalties.

    With `delays`, the responses are those to the rows that these keep, z-scored within stories,
    and may be given for these alone; thousands of them in float32, as they are fitted.
    """
    if isinstance(features, Mapping):
        x = [as_array(values) for values in features.values()]
        shape = tuple(layer.shape for layer in x)
    else:
        whole = as_array(features)
        x = list(whole[None] if whole.ndim == 2 else whole)
        shape = whole.shape
    y = as_array(responses)
    y = y[:, None] if y.ndim == 1 else y
    grid = np.asarray(alphas, dtype=np.float64)
    rows = len(y)
    if delays is not None and len(y) == len(delays.kept):
        rows = len(delays.stories)
    if not x or y.ndim != 2 or any(layer.ndim != 2 or len(layer) != rows for layer in x):
        raise ValueError(
            "features [n, width] or [layers, n, width] and responses [n, targets] must have the "
            f"same n, but their shapes are {shape} and {np.shape(responses)}"
        )
    if delays is not None and len(delays.stories) != rows:
        raise ValueError(f"{rows} rows need a story each, but there are {len(delays.stories)}")
    if grid.ndim != 1 or not len(grid) or not (np.isfinite(grid) & (grid > 0)).all():
        raise ValueError("alphas must be a list of finite penalties above 0")
    # Delayed responses are checked where they are kept.
    for name, arrays in (("features", x), ("responses", [y] if delays is None else [])):
        for values in arrays:
            if not np.isfinite(values).all():
                row, column = np.argwhere(~np.isfinite(values))[0]
                raise ValueError(f"{name} must be finite, but row {row}, column {column} is not")
    if delays is None:
        return x, y.astype(np.float64), grid
    precision = np.float32 if y.shape[1] > TOGETHER else np.float64
    return x, delays.responses(y, precision), grid


def _warn(found: Encoding) -> None:
    low, high = found.at_edge
    if low or high:
        logger.warning(
            "of %d chosen penalties %d are the grid's smallest (%g) and %d its largest (%g): "
            "a wider grid may choose otherwise",
            *(found.alpha.size, low, found.alphas.min(), high, found.alphas.max()),
        )
    if found.constant:
        logger.warning("%d constant predictions or responses scored 0", found.constant)
