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
from each of its fits. A wide baseline costs a factorization for each β. One of a few columns Z
costs none, since they can be further targets of the layer's fit. Given their weights v, the joint
model fits the layer to y − Zv, and the error on held-out rows is linear in what is fitted: where
the layer alone leaves d_y of y and D_Z of Z, both together leave

    d = d_y − D_Z v,    v = (Zᵀ R Z + (α/β) I)⁻¹ Zᵀ R y,    R = α (K_L + αI)⁻¹,

all centred, K_L being the kernel of the rows that are fitted. Without a block B that is a smaller
one, and Zᵀ R y is less by (R Z)_Bᵀ d_y, with the R of all rows (a Schur complement; likewise for
Zᵀ R Z). One pass over blocks and penalties thus serves every β and every such baseline.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from geomod.ridge.blas import product
from geomod.ridge.delays import Delays
from geomod.ridge.engine import ALPHAS, checked, encode
from geomod.ridge.factor import Factor
from geomod.ridge.fits import Designs, Fit, Fitted, fit_fold
from geomod.ridge.folds import Folds, InnerFolds, Scheme
from geomod.ridge.held_out import fit_in, held_out_predictions, mean_error
from geomod.ridge.scores import centred, scores
from geomod.ridge.sides import RowSides, Sides
from geomod.ridge.sides import beside as side_by_side

Floats = NDArray[np.float64]
Rung = Literal["baseline", "layer", "joint"]
RUNGS: tuple[Rung, ...] = ("baseline", "layer", "joint")

# The β between 0 and ∞: few, because beside a wide baseline each costs a fit of every layer, and
# the optimum is flat.
BALANCES = (1.0, 100.0)

# Baselines of no more columns than these are further targets of the layer's fit.
NARROW = 16


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

    def sides(self, layer: int, fitted: Fitted) -> Sides:
        """Training and test rows beside a layer, standardized (or delayed) and cut as it is."""
        if self._designs is None:
            self._designs = Designs(
                self._values,
                self._delays,
                standardize=self._scale,
                device=str(fitted.targets.device),
                rows=self._rows,
            )
        sides = self._designs(layer if self._by_layer else 0, fitted.split)
        if self.match_width is None:
            return sides
        return sides.on_components(sides.factorize(self.match_width))

    def alone(self, layer: int, fitted: Fitted, y: Tensor) -> Fit:
        """What the baseline alone predicts of `y` in the fold of a layer that was fitted."""
        key = layer if self._by_layer else None, fitted.fold
        if key not in self._alone:
            self._alone[key] = _fit(self.sides(layer, fitted), fitted, y)
        return self._alone[key]


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
        beside = {name: b for name, b in self.baselines.items() if b.stands_beside(layer)}
        sides = {name: baseline.sides(layer, fitted) for name, baseline in beside.items()}
        narrow = {
            name: rows
            for name, rows in sides.items()
            if isinstance(rows, RowSides) and rows.train.shape[1] <= NARROW
        }
        found = _with_narrow(fitted, y, list(narrow.values()), self.balances)
        joint = dict(zip(narrow, found, strict=True))
        fit = fitted.fit
        of_layer = Fit(*(part[..., self.columns] for part in (fit.best, fit.gain, fit.explained)))
        for name, baseline in beside.items():
            if name not in joint:
                cut = baseline.match_width is not None
                joint[name] = _with_wide(fitted, y, sides[name], self.balances, cut=cut)
            alone = baseline.alone(layer, fitted, y)
            both, beta = joint[name]
            best, rung = _best([of_layer, both, alone])
            beta = torch.where(rung == 0, 0.0, torch.where(rung == 1, beta, torch.inf))
            kinds = [
                (*scores(fit.explained, y, fitted.split)[:2], fitted.alphas[fit.best].cpu().numpy())
                for fit in (alone, of_layer, best)
            ]
            by_kind = np.array(kinds).swapaxes(0, 1)
            self._found[name, layer, fitted.fold] = by_kind, beta.cpu().numpy()

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


Joint = tuple[Fit, Tensor]  # the joint model at the best β of each target, and that β


def _with_wide(
    fitted: Fitted, y: Tensor, baseline: Sides, balances: Sequence[float], *, cut: bool
) -> Joint:
    """Both bands as one: a factorization for each β."""
    layer = fitted.sides.on_components(fitted.factor) if cut else fitted.sides
    fits = [_fit(side_by_side(baseline, layer, beta), fitted, y) for beta in balances]
    best, chosen = _best(fits)
    return best, y.new_tensor(balances)[chosen]


@dataclass(frozen=True)
class Columns:
    """The columns Z of narrow baselines side by side, and R Z, what the layer's fit leaves of them.

    R = α (K + αI)⁻¹ = I − U diag(w) Uᵀ of centred columns.
    """

    factor: Factor  # of the layer, exact
    alphas: Tensor
    z: Tensor  # [rows, columns]
    left: Tensor  # R Z, [alphas, rows, columns]
    bands: list[slice]  # where each baseline's columns are

    @classmethod
    def beside(cls, fitted: Fitted, baselines: Sequence[Tensor]) -> "Columns":
        factor = fitted.factor if fitted.factor.is_exact else fitted.sides.factorize()
        alphas, z = factor.penalties(fitted.alphas), torch.cat(list(baselines), dim=1)
        seen = product(factor.u.T, z)
        rest = alphas[:, None] / (factor.s + alphas[:, None])  # 1 − w, without cancelling
        left = factor.u @ (rest[:, :, None] * seen)
        if not factor.is_full:
            left += z - product(factor.u, seen)
        ends = np.cumsum([baseline.shape[1] for baseline in baselines])
        bands = [slice(end - b.shape[1], end) for end, b in zip(ends, baselines, strict=True)]
        return cls(factor, alphas, z, left, bands)


def _with_narrow(
    fitted: Fitted,
    y: Tensor,
    baselines: Sequence[RowSides],
    balances: Sequence[float],
) -> list[Joint]:
    """The layer with each of some baselines of few columns, from its own fit of y and of those."""
    if not baselines:
        return []
    columns = Columns.beside(fitted, [baseline.train for baseline in baselines])
    targets, betas = centred(y[fitted.split[0]])[0], y.new_tensor(balances)
    together = fit_in(fitted.memory_mb / 2, 4 * 8 * len(columns.alphas) * len(targets))
    parts = targets.split(together, dim=1)
    gains = torch.cat([_gains(fitted, columns, part, betas) for part in parts], dim=-1)
    each, joint = np.arange(targets.shape[1]), []
    for baseline, band, gain in zip(baselines, columns.bands, gains, strict=True):
        of_beta, of_alpha = gain.max(dim=1)
        most, chosen = of_beta.max(dim=0)
        best, beta = of_alpha[chosen, each], betas[chosen]
        alpha = columns.alphas[best]
        left = columns.left[best][:, :, band].mT  # [targets, columns, rows]
        z = baseline.train
        v = _weights(left @ z, left @ targets.T[:, :, None], alpha / beta)[:, :, 0].T
        of_layer = fitted.sides.predict(columns.factor, targets - z @ v, alpha)
        explained = of_layer + baseline.test @ v
        joint.append((Fit(best, most, explained), beta))
    return joint


def _gains(fitted: Fitted, columns: Columns, y: Tensor, betas: Tensor) -> Tensor:
    """Squared error saved over the mean on held-out rows, `[bands, betas, alphas, targets]`."""
    alphas, k = columns.alphas, columns.z.shape[1]
    both = torch.cat([columns.z, y], dim=1)
    moments = columns.left.mT @ both
    gains = y.new_zeros(len(columns.bands), len(betas), len(alphas), y.shape[1])
    given = (alphas, fitted.blocks, fitted.memory_mb)
    for blocks, scored, some, p in held_out_predictions(columns.factor, both, *given):
        error = mean_error(both, blocks)
        d = error - p
        others = moments[some, None] - columns.left[some][:, blocks].mT @ d
        for i, band in enumerate(columns.bands):
            square, right = others[..., band, band], others[..., band, k:]
            for j, beta in enumerate(betas):
                v = _weights(square, right, alphas[some, None] / beta)
                joint = p[:, :, :scored, k:] + d[:, :, :scored, band] @ v
                missed = 2 * error[:, :scored, k:] - joint
                gains[i, j, some] += (missed * joint).sum(dim=(1, 2))
    return gains.nan_to_num(nan=0.0)  # NaN where rounding left nothing


def _weights(square: Tensor, right: Tensor, ridge: Tensor) -> Tensor:
    """(square + ridge I)⁻¹ right, for stacks of small matrices."""
    one = torch.eye(square.shape[-1]).to(square)
    return torch.linalg.solve_ex(square + ridge[..., None, None] * one, right)[0]


def _fit(sides: Sides, fitted: Fitted, y: Tensor) -> Fit:
    """Other training and test rows, fitted as the layer was."""
    y_train = y[fitted.split[0]]
    return fit_fold(sides, y_train, fitted.alphas, fitted.blocks, fitted.memory_mb)[0]


def _best(fits: list[Fit]) -> tuple[Fit, Tensor]:
    """Of several fits each target's best by the inner held-out rows, and which one that is."""
    gain, chosen = torch.stack([fit.gain for fit in fits]).max(dim=0)
    each = torch.arange(len(chosen), device=chosen.device)
    best = torch.stack([fit.best for fit in fits])[chosen, each]
    explained = torch.stack([fit.explained for fit in fits])[chosen, :, each].T
    return Fit(best, gain, explained), chosen
