"""The confound ladder: what a layer predicts over and above a baseline.

Three models of the same responses, on the same folds: the baseline alone (sentence length,
position, the untrained model), the layer alone, and both together. Together they have a penalty
each. With kernels K_B of the baseline and K_L of the layer, both standardized in the training fold,
the joint kernel is

    K = β K_B + K_L,

which penalizes the baseline's weights by α/β and the layer's by α. β = 1 is plain concatenation,
β = 0 the layer alone, β = ∞ the baseline alone. Every target chooses (β, α) by the error on inner
held-out rows, as in `engine.py`: exact nested cross-validation.

Whoever climbs it has fitted the layer already: a `Climb` is handed to `engine.encode` and goes on
from each of its fits. A wide baseline costs a factorization for each β, one of a few columns none
(`geomod.ridge.narrow`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from geomod.ridge.both_loops import BothLoops, FittedInBoth
from geomod.ridge.delays import Delays
from geomod.ridge.engine import ALPHAS, checked, encode
from geomod.ridge.fits import Designs, Fit, Fitted, Fold, fit_fold
from geomod.ridge.folds import Folds, InnerFolds, Scheme, Split
from geomod.ridge.narrow import Joint, of_few_columns, with_narrow, with_narrow_in_both
from geomod.ridge.scores import scores
from geomod.ridge.sides import RowSides, Sides
from geomod.ridge.sides import beside as side_by_side

Floats = NDArray[np.float64]
Rung = Literal["baseline", "layer", "joint"]
RUNGS: tuple[Rung, ...] = ("baseline", "layer", "joint")

# The β between 0 and ∞: few, because beside a wide baseline each costs a fit of every layer, and
# the optimum is flat.
BALANCES = (1.0, 100.0)


@dataclass(frozen=True)
class Ladder:
    """Pearson r and R² of the baseline, of the layer, and of both, `[layers, folds, targets]`."""

    r: dict[Rung, Floats]
    r2: dict[Rung, Floats]
    alpha: dict[Rung, Floats]
    balance: Floats  # the β that the joint model chose

    def score(self, rung: Rung) -> Floats:
        """Mean over the outer folds of Pearson r, `[layers, targets]`."""
        return self.r[rung].mean(axis=1)

    @property
    def unique(self) -> Floats:
        """What the layer adds to the baseline's score, in r, `[layers, targets]`."""
        return self.score("joint") - self.score("baseline")

    @property
    def unique_r2(self) -> Floats:
        """The same in explained variance: mean R² of the joint model minus the baseline's."""
        return (self.r2["joint"] - self.r2["baseline"]).mean(axis=1)


class Baseline:
    """Columns beside a layer, with what they predict alone: found once, whatever they stand beside.

    `values` are `[n, width]`, or such an array for each layer that has its own (the same layer of
    the untrained model), and `rows` those of them that the responses are to, or that `delays` know
    the stories of. One baseline serves any number of climbs over the same responses, folds and
    penalties.
    """

    def __init__(
        self,
        values: NDArray[np.floating] | Mapping[int, NDArray[np.floating]],
        *,
        rows: NDArray[np.intp] | slice = slice(None),
        delays: Delays | None = None,
        standardize: bool = True,
        match_width: int | None = None,
    ) -> None:
        self._by_layer = isinstance(values, Mapping)
        self._values = values if isinstance(values, Mapping) else {0: values}
        self._rows, self._delays, self._scale = rows, delays, standardize
        self.match_width = match_width
        self._designs: Designs | None = None
        self._alone: dict[tuple[int | None, int], Fit] = {}

    def stands_beside(self, layer: int) -> bool:
        return not self._by_layer or layer in self._values

    def sides(self, layer: int, split: Split, device: str = "cpu") -> Sides:
        """Training and test rows beside a layer, standardized (or delayed) and cut as it is."""
        if self._designs is None:
            self._designs = Designs(
                self._values,
                self._delays,
                standardize=self._scale,
                device=device,
                rows=self._rows,
            )
        sides = self._designs(layer if self._by_layer else 0, split)
        if self.match_width is None:
            return sides
        return sides.on_components(sides.factorize(self.match_width))

    def alone(self, layer: int, fold: Fold, y: Tensor) -> Fit:
        """What the baseline alone predicts of `y` in a fold, where it stands beside a layer."""
        key = layer if self._by_layer else None, fold.fold
        if key not in self._alone:
            self._alone[key] = _fit(self.sides(layer, fold.split, str(y.device)), fold, y)
        return self._alone[key]

    def alone_in_both(self, layer: int, fitted: FittedInBoth, sides: Sides, y: Tensor) -> list[Fit]:
        """The same in every fold. Few columns are fitted fold by fold, which is less work."""
        place = layer if self._by_layer else None
        left_out = max(map(len, fitted.loops.parts))
        few = isinstance(sides, RowSides) and sides.train.shape[1] <= left_out
        if not few and (place, 0) not in self._alone:
            for fold, fit in enumerate(_in_both(fitted, sides, y)):
                self._alone[place, fold] = fit
        return [self.alone(layer, fold, y) for fold in fitted.folds]


class Climb:
    """Ladders of some layers beside some baselines, climbed as `engine.encode` fits the layers.

    Hand it over as `encode(..., beside=climb)`, and ask for `climb.ladder(name)` afterwards.
    `layers` name the features that `encode` is given, and `columns` are the targets to climb for.
    """

    def __init__(
        self,
        baselines: Mapping[str, Baseline],
        layers: Sequence[int],
        columns: NDArray[np.intp] | slice = slice(None),
        balances: Sequence[float] = BALANCES,
    ) -> None:
        self.baselines, self.layers, self.columns = baselines, layers, columns
        self.balances = list(balances)
        # By baseline, layer and fold: r, R² and α of each rung `[3, rungs, targets]`, and β.
        self._found: dict[tuple[str, int, int], tuple[Floats, Floats]] = {}

    def layers_beside(self, name: str) -> list[int]:
        """The layers that a baseline stands beside: those of its ladder."""
        return [layer for layer in self.layers if self.baselines[name].stands_beside(layer)]

    def __call__(self, fitted: Fitted) -> None:
        """Climb in one fold of a layer, which was fitted just now."""
        layer, y = self.layers[fitted.layer], fitted.targets[:, self.columns]
        sides = {
            name: baseline.sides(layer, fitted.split, str(y.device))
            for name, baseline in self._beside(layer).items()
        }
        narrow = of_few_columns(sides)
        found = with_narrow(fitted, y, list(narrow.values()), self.balances)
        joint = dict(zip(narrow, found, strict=True))
        for name, baseline in self._beside(layer).items():
            if name not in joint:
                cut = baseline.match_width is not None
                joint[name] = _with_wide(fitted, y, sides[name], self.balances, cut=cut)
            alone = baseline.alone(layer, fitted, y)
            self._keep(name, layer, fitted, y, alone, fitted.fit, joint[name])

    def in_both_loops(self, fitted: FittedInBoth) -> None:
        """Climb in all folds of a layer, which one factorization served."""
        layer, y = self.layers[fitted.layer], fitted.targets[:, self.columns]
        everything = np.arange(len(y))
        sides = {
            name: baseline.sides(layer, (everything, everything[:1]))
            for name, baseline in self._beside(layer).items()
        }
        narrow = of_few_columns(sides)
        bands = [rows.train for rows in narrow.values()]
        found = with_narrow_in_both(fitted, y, bands, self.balances)
        joint = dict(zip(narrow, found, strict=True))
        for name, baseline in self._beside(layer).items():
            if name not in joint:
                joint[name] = _with_wide_in_both(fitted, y, sides[name], self.balances)
            alone = baseline.alone_in_both(layer, fitted, sides[name], y)
            for k, fold in enumerate(fitted.folds):
                self._keep(name, layer, fold, y, alone[k], fitted.fits[k], joint[name][k])

    def _beside(self, layer: int) -> dict[str, Baseline]:
        return {name: b for name, b in self.baselines.items() if b.stands_beside(layer)}

    def _keep(
        self, name: str, layer: int, fold: Fold, y: Tensor, alone: Fit, of_layer: Fit, joint: Joint
    ) -> None:
        """What each rung scores in a fold, of those targets that are climbed for."""
        both, beta = joint
        parts = (of_layer.best, of_layer.gain, of_layer.explained)
        of_layer = Fit(*(part[..., self.columns] for part in parts))
        best, rung = _best([of_layer, both, alone])
        beta = torch.where(rung == 0, 0.0, torch.where(rung == 1, beta, torch.inf))
        kinds = [
            (*scores(fit.explained, y, fold.split)[:2], fold.alphas[fit.best].cpu().numpy())
            for fit in (alone, of_layer, best)
        ]
        by_kind = np.array(kinds).swapaxes(0, 1)
        self._found[name, layer, fold.fold] = by_kind, beta.cpu().numpy()

    def ladder(self, name: str) -> Ladder:
        """The ladder beside a baseline, as far as it is climbed."""
        folds = sorted({fold for _, _, fold in self._found})
        places = [[(name, layer, fold) for fold in folds] for layer in self.layers_beside(name)]
        parts = np.array([[self._found[place][0] for place in row] for row in places])
        beta = np.array([[self._found[place][1] for place in row] for row in places])
        r, r2, alpha = (
            {rung: parts[:, :, kind, k] for k, rung in enumerate(RUNGS)} for kind in range(3)
        )
        return Ladder(r, r2, alpha, beta)


def ladder(
    baseline: ArrayLike | Mapping[Any, ArrayLike],
    features: ArrayLike | Mapping[Any, ArrayLike],
    responses: ArrayLike,
    *,
    alphas: ArrayLike = ALPHAS,
    balances: Sequence[float] = BALANCES,
    folds: Folds = 5,
    inner_folds: InnerFolds = 5,
    scheme: Scheme | None = None,
    groups: ArrayLike | None = None,
    gap: int | None = None,
    delays: Delays | None = None,
    standardize: bool = True,
    seed: int = 0,
    device: str = "cpu",
    match_width: int | None = None,
    memory_mb: float = 512,
) -> Ladder:
    """Climb the ladder for every layer. All arguments but two are those of `engine.encode`.

    `baseline` is `[n, width]`, or `[layers, n, width]` where each layer has its own (the same layer
    of the untrained model). `balances` are the values of β between 0 and ∞, which are always among
    the choices. `match_width` cuts the layer and the baseline, each by its own components.
    """
    base = checked(baseline, responses, alphas, delays)[0]
    x = checked(features, responses, alphas, delays)[0]
    if len(base) not in (1, len(x)):
        raise ValueError(f"{len(base)} baselines for {len(x)} layers: give one, or one a layer")
    if not len(balances) or not all(0 < beta < np.inf for beta in balances):
        raise ValueError(f"balances must be finite numbers above 0, and one at least: {balances}")
    values = base[0] if len(base) == 1 else dict(enumerate(base))
    beside = Baseline(values, delays=delays, standardize=standardize, match_width=match_width)
    climb = Climb({"": beside}, range(len(x)), balances=balances)
    encode(
        dict(enumerate(x)),
        responses,
        alphas=alphas,
        folds=folds,
        inner_folds=inner_folds,
        scheme=scheme,
        groups=groups,
        gap=gap,
        delays=delays,
        standardize=standardize,
        match_width=match_width,
        seed=seed,
        device=device,
        memory_mb=memory_mb,
        beside=climb,
    )
    return climb.ladder("")


def _with_wide(
    fitted: Fitted, y: Tensor, baseline: Sides, balances: Sequence[float], *, cut: bool
) -> Joint:
    """Both bands as one: a factorization for each β."""
    layer = fitted.sides.on_components(fitted.factor) if cut else fitted.sides
    fits = [_fit(side_by_side(baseline, layer, beta), fitted, y) for beta in balances]
    best, chosen = _best(fits)
    return best, y.new_tensor(balances)[chosen]


def _with_wide_in_both(
    fitted: FittedInBoth, y: Tensor, baseline: Sides, balances: Sequence[float]
) -> list[Joint]:
    """The same in all folds, from one factorization for each β."""
    of_beta = [_in_both(fitted, side_by_side(baseline, fitted.sides, beta), y) for beta in balances]
    found = [_best(list(fits)) for fits in zip(*of_beta, strict=True)]
    return [(best, y.new_tensor(balances)[chosen]) for best, chosen in found]


def _in_both(fitted: FittedInBoth, sides: Sides, y: Tensor) -> list[Fit]:
    """Other rows, fitted as the layer was in all folds."""
    like = fitted.loops
    alphas = fitted.folds[0].alphas
    return BothLoops(sides.factorize(), y, alphas, like.splits, like.memory_mb).fits(fitted.deal)


def _fit(sides: Sides, fold: Fold, y: Tensor) -> Fit:
    """Other training and test rows, fitted as the layer is in that fold."""
    return fit_fold(sides, y[fold.split[0]], fold.alphas, fold.blocks, fold.memory_mb)[0]


def _best(fits: list[Fit]) -> tuple[Fit, Tensor]:
    """Of several fits each target's best by the inner held-out rows, and which one that is."""
    gain, chosen = torch.stack([fit.gain for fit in fits]).max(dim=0)
    each = torch.arange(len(chosen), device=chosen.device)
    best = torch.stack([fit.best for fit in fits])[chosen, each]
    explained = torch.stack([fit.explained for fit in fits])[chosen, :, each].T
    return Fit(best, gain, explained), chosen
