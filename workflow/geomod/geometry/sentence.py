"""The built-in measures of a sentence's geometry, each a function of the Gram G of its T tokens.

Every variant comes with the first token kept or, named `…-drop1`, dropped: in trained models that
token is often a sink of enormous norm that decides the result alone.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geomod.base.errors import InputError
from geomod.geometry.grams import Floats
from geomod.geometry.registry import Variant, View, metric, register

# The states are float32: a squared length below (1e-6)² of the states' own is rounding noise, as
# between two equal tokens in a row. It has no direction and counts for no dimension.
NOISE = 1e-12

KEPT_OR_DROPPED = {"": 0, "-drop1": 1}


def squared_norms(gram: Floats) -> Floats:
    """|x_t|², the diagonal [k, T] of Grams [k, T, T]."""
    return np.diagonal(gram, axis1=-2, axis2=-1)


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Floats:
    """numerator / denominator, NaN where the denominator is not positive."""
    undefined = np.full(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)), np.nan)
    return np.divide(numerator, denominator, out=undefined, where=np.greater(denominator, 0))


def mean_over(values: Floats, defined: NDArray[np.bool_]) -> Floats:
    """The mean along the last axis over the defined values, NaN where there are none."""
    return ratio(np.where(defined, values, 0).sum(axis=-1), defined.sum(axis=-1))


# --- Spectra: entropy, effective rank, participation ratio ------------------------------------


class Spectrum(NamedTuple):
    """Eigenvalues [k, T] of Grams of trace 1; the tokens T that are left, the model's width d."""

    weights: Floats
    tokens: int
    width: int


def centre(gram: Floats) -> Floats:
    """The Gram of the tokens minus their mean: H G H with H = I − 1/T.

    A token that differs from the mean by no more than rounding noise becomes 0.
    """
    tokens = max(1, gram.shape[-1])
    means = gram.sum(axis=-1, keepdims=True) / tokens
    grand = means.sum(axis=-2, keepdims=True) / tokens
    centred = gram - means - means.swapaxes(-1, -2) + grand
    noise = NOISE * squared_norms(gram).sum(axis=-1, keepdims=True) / tokens
    apart = squared_norms(centred) > noise
    return np.where(apart[:, :, None] & apart[:, None, :], centred, 0)


def centre_and_normalize(gram: Floats) -> Floats:
    """The Gram of the centred tokens scaled to length 1: D^-½ H G H D^-½, the cosines."""
    centred = centre(gram)
    lengths = np.sqrt(squared_norms(centred))
    return np.nan_to_num(ratio(centred, lengths[:, :, None] * lengths[:, None, :]))


def clamp(gram: Floats) -> Floats:
    """Those cosines with the negative ones set to 0, as public code does.

    What is left is no Gram any more (it can have negative eigenvalues) and looks of higher rank.
    """
    return np.maximum(centre_and_normalize(gram), 0)


PREPARATIONS: dict[str, Callable[[Floats], Floats]] = {
    "raw": lambda gram: gram,
    "centred": centre,
    "normed": centre_and_normalize,
    "clamped": clamp,
}


def spectrum(
    gram: Floats, width: int, *, prepare: Callable[[Floats], Floats], first: int
) -> Spectrum:
    """Eigenvalues of the prepared Gram of the tokens from `first` on, scaled to the sum 1.

    Eigenvalues that are negative (through the clamp) or rounding noise are left out before scaling.
    NaN for the Gram 0.
    """
    prepared = prepare(gram[:, first:, first:])
    eigenvalues = np.linalg.eigvalsh(prepared)
    noise = NOISE * eigenvalues.max(axis=-1, initial=0, keepdims=True)
    eigenvalues = np.where(eigenvalues > noise, eigenvalues, 0.0)
    weights = ratio(eigenvalues, eigenvalues.sum(axis=-1, keepdims=True))
    return Spectrum(weights, prepared.shape[-1], width)


def entropy_of(weights: Floats, order: float = 1) -> Floats:
    """Rényi entropy in nats: ln(Σ λ^α) / (1 − α), at α = 1 von Neumann's −Σ λ ln λ.

    Equal weights on r eigenvalues give ln r at every order. Order 2 is −ln Σ λ²; public code that
    divides by T² once more, after the trace, gives 2 ln T more. von Neumann 1932; Rényi 1961; of
    Gram matrices: Sánchez Giraldo, Rao and Príncipe 2015.
    """
    if weights.shape[-1] == 0:
        return np.full(weights.shape[0], np.nan)
    if order == 1:
        logs = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
        return np.abs(-(weights * logs).sum(axis=-1))
    return np.log((weights**order).sum(axis=-1)) / (1 - order)


NORMALIZATIONS: dict[str, Callable[[Spectrum], float]] = {
    "": lambda s: 1.0,
    "-per-lnmin": lambda s: float(np.log(max(1, min(s.tokens, s.width)))),
    "-per-lntokens": lambda s: float(np.log(max(1, s.tokens))),
    "-per-lnwidth": lambda s: float(np.log(s.width)),
}
ORDERS = {"": 1.0, "-renyi0.5": 0.5, "-renyi2": 2.0}


def entropy(seen: Spectrum, *, order: float, scale: Callable[[Spectrum], float]) -> Floats:
    """Entropy of the spectrum, divided by what the normalization says (NaN where that is 0)."""
    value = entropy_of(seen.weights, order)
    return ratio(value, scale(seen))


def effective_rank(seen: Spectrum) -> Floats:
    """exp of the entropy of the singular values σ / Σσ, in dimensions. Roy and Vetterli 2007."""
    singular = np.sqrt(seen.weights)
    return np.exp(entropy_of(ratio(singular, singular.sum(axis=-1, keepdims=True))))


def participation_ratio(seen: Spectrum) -> Floats:
    """(Σλ)² / Σλ², in dimensions: r equal eigenvalues give r."""
    return ratio(1, np.square(seen.weights).sum(axis=-1))


def _register_spectral(name: str, suffix: str, view: View) -> None:
    for order_name, order in ORDERS.items():
        for scale_name, scale in NORMALIZATIONS.items():
            variant = f"{name}{suffix}{order_name}{scale_name}"
            function = partial(entropy, order=order, scale=scale)
            register(Variant("entropy", variant, function, view))
    if name in ("raw", "centred"):
        register(Variant("effective_rank", name + suffix, effective_rank, view))
        register(Variant("participation_ratio", name + suffix, participation_ratio, view))


for _name, _prepare in PREPARATIONS.items():
    for _suffix, _first in KEPT_OR_DROPPED.items():
        _register_spectral(_name, _suffix, partial(spectrum, prepare=_prepare, first=_first))


# --- Trajectories: curvature, path length ------------------------------------------------------


class Path(NamedTuple):
    """Inner products [k, S, S] of the S vectors whose angles and lengths count, and which of them
    [k, S] are long enough to have a direction."""

    inner: Floats
    directed: NDArray[np.bool_]


def states(gram: Floats, width: int, *, first: int) -> Path:
    """The tokens themselves, x_t."""
    kept = gram[:, first:, first:]
    return Path(kept, squared_norms(kept) > 0)


def displacements(gram: Floats, width: int, *, first: int) -> Path:
    """The steps v_t = x_{t+1} − x_t, whose inner products are Δ G Δᵀ."""
    kept = gram[:, first:, first:]
    across = kept[:, :, 1:] - kept[:, :, :-1]
    inner = across[:, 1:, :] - across[:, :-1, :]
    norms = squared_norms(kept)
    noise = NOISE * (norms[:, 1:] + norms[:, :-1]) / 2
    return Path(inner, squared_norms(inner) > noise)


def centred_states(gram: Floats, width: int, *, first: int) -> Path:
    """The tokens less their mean; one that lies at the mean has no direction."""
    centred = centre(gram[:, first:, first:])
    return Path(centred, squared_norms(centred) > 0)


def normed_displacements(gram: Floats, width: int, *, first: int) -> Path:
    """The steps between tokens that were centred and scaled to length 1 before.

    A step that is rounding noise among the tokens as they are has no direction here either.
    """
    kept = gram[:, first:, first:]
    steps = displacements(centre_and_normalize(kept), width, first=0)
    return Path(steps.inner, steps.directed & displacements(kept, width, first=0).directed)


def curvature(path: Path, *, lag: int = 1, folded: bool = False) -> Floats:
    """Mean angle in radians between vectors that lie `lag` apart.

    mean_t arccos(v_t · v_{t+lag} / |v_t| |v_{t+lag}|). Of displacements at lag 1 it is the
    curvature of Hénaff, Goris and Simoncelli 2019, for language models Hosseini and Fedorenko 2023:
    a straight line gives 0, a staircase of right angles and a random walk π/2, white noise 2π/3.
    Steps without a direction are left out. `folded` takes |dot|, which makes every obtuse angle
    acute.
    """
    if not isinstance(path, Path):
        raise InputError(
            f"curvature takes what `displacements` makes of Grams, not {type(path).__name__}. "
            "Of the states x [tokens, width] of one sentence: geomod.geometry.curvature(x); "
            "of Grams: geomod.geometry.measure"
        )
    dots = np.diagonal(path.inner, offset=lag, axis1=-2, axis2=-1)
    squared = squared_norms(path.inner)
    both = path.directed[:, lag:] & path.directed[:, :-lag]
    lengths = np.sqrt(np.where(both, squared[:, lag:] * squared[:, :-lag], 1))
    cosines = np.clip(dots / lengths, -1, 1)
    return mean_over(np.arccos(np.abs(cosines) if folded else cosines), both)


def path_length(path: Path) -> Floats:
    """Σ |v_t|, in the units of the states; 0 for a single token."""
    return _lengths(path).sum(axis=-1)


def mean_step(path: Path) -> Floats:
    """Mean |v_t|, in the units of the states, over all steps."""
    lengths = _lengths(path)
    return mean_over(lengths, np.ones(lengths.shape, dtype=bool))


def count_still(path: Path) -> Floats:
    """How many steps have no direction, as between two equal tokens: curvature leaves them out."""
    return (~path.directed).sum(axis=-1).astype(np.float64)


def _lengths(path: Path) -> Floats:
    return np.sqrt(np.where(path.directed, squared_norms(path.inner), 0))


CURVATURES: dict[str, tuple[Callable[..., Path], Callable[[Path], Floats]]] = {
    "hosseini": (displacements, curvature),
    "folded": (displacements, partial(curvature, folded=True)),
    "normed-folded": (normed_displacements, partial(curvature, folded=True)),
    "states": (states, curvature),
    "centred-states": (centred_states, curvature),
    "lag2": (displacements, partial(curvature, lag=2)),
    "lag3": (displacements, partial(curvature, lag=3)),
}
SINCE = {"": None, "-from0": 0, "-from1": 1}

for _suffix, _first in KEPT_OR_DROPPED.items():
    _views: dict[Callable[..., Path], View] = {
        view: partial(view, first=_first)
        for view in (states, centred_states, displacements, normed_displacements)
    }
    for _name, (_view, _function) in CURVATURES.items():
        for _change, _since in SINCE.items():
            register(
                Variant("curvature", _name + _suffix + _change, _function, _views[_view], _since)
            )
    for _name, _function in {
        "path_length": path_length,
        "step_length": mean_step,
        "still_steps": count_still,
    }.items():
        register(Variant(_name, f"raw{_suffix}", _function, _views[displacements]))


# --- Tokens together: coherence, autocorrelation, the graph of their likeness -------------------


def tokens_of(gram: Floats, width: int, *, first: int) -> Floats:
    """The Gram of the tokens from `first` on."""
    return gram[:, first:, first:]


def coherence(gram: Floats) -> Floats:
    """Squared length of the mean of the tokens scaled to length 1: 1ᵀ Ĝ 1 / T² of their cosines Ĝ.

    Parallel tokens give 1, orthogonal ones 1/T. A token of norm 0 has no direction and is left out.
    """
    lengths = np.sqrt(squared_norms(gram))
    cosines = np.nan_to_num(ratio(gram, lengths[:, :, None] * lengths[:, None, :]))
    return ratio(cosines.sum(axis=(1, 2)), np.square((lengths > 0).sum(axis=1)))


def autocorrelations(gram: Floats, width: int, *, first: int) -> Floats:
    """c(τ) [k, T], τ = 0 …: mean of the τ-th diagonal of H G H over the mean of its main diagonal.

    How alike tokens τ apart are, once their mean is taken off: white noise has −1/(T − 1), a
    straight line c(1) = (T − 3)/(T − 1). It depends on T.
    """
    centred = centre(gram[:, first:, first:])
    count, tokens = centred.shape[:2]
    found = np.full((count, tokens), np.nan)
    for lag in range(tokens):
        found[:, lag] = np.diagonal(centred, offset=lag, axis1=1, axis2=2).mean(axis=1)
    return ratio(found, found[:, :1])


def autocorrelation(seen: Floats, *, lag: int) -> Floats:
    """c(τ) at one lag; NaN where there are not two tokens so far apart."""
    return seen[:, lag] if lag < seen.shape[1] else np.full(len(seen), np.nan)


def correlation_time(seen: Floats) -> Floats:
    """1 + 2 Σ c(τ) over τ = 1 … before the first c < 0, in tokens: how long likeness lasts."""
    if seen.shape[1] < 2:
        return np.full(len(seen), np.nan)
    lasting = np.logical_and.accumulate(np.nan_to_num(seen[:, 1:]) >= 0, axis=1)
    time = 1 + 2 * np.where(lasting, np.nan_to_num(seen[:, 1:]), 0).sum(axis=1)
    return np.where(np.isnan(seen[:, 0]), np.nan, time)


def laplacian_spectrum(gram: Floats, width: int, *, first: int) -> Floats:
    """Eigenvalues [k, T] of I − D^−½ W D^−½, smallest first, W_ij = exp(−|t_i − t_j|² / σ²), W_ii =
    1, D its row sums, σ² the median of |t_i − t_j|² over pairs."""
    kept = gram[:, first:, first:]
    tokens = kept.shape[-1]
    if tokens < 2:
        return np.full((len(kept), tokens), np.nan)
    squared = squared_norms(kept)
    apart = np.maximum(squared[:, :, None] + squared[:, None, :] - 2 * kept, 0)
    apart = np.where(apart > NOISE * squared.sum(axis=1)[:, None, None] / tokens, apart, 0)
    pairs = np.triu_indices(tokens, 1)
    middle = np.median(apart[:, *pairs], axis=1)[:, None, None]
    # Where more than half of the pairs are of equal tokens, the others are infinitely far apart.
    shares = np.where(
        apart > 0, np.divide(apart, middle, out=np.full_like(apart, np.inf), where=middle > 0), 0
    )
    alike = np.exp(-shares)
    root = 1 / np.sqrt(alike.sum(axis=2))
    return np.linalg.eigvalsh(np.eye(tokens) - root[:, :, None] * alike * root[:, None, :])


def connectivity(eigenvalues: Floats, *, count: int) -> Floats:
    """Mean of the `count` smallest eigenvalues but the first, which is 0.

    How hard the tokens are to part: equal ones give 1, two clusters far apart 0 at count 1.
    """
    if eigenvalues.shape[1] <= count:
        return np.full(len(eigenvalues), np.nan)
    return eigenvalues[:, 1 : count + 1].mean(axis=1)


for _suffix, _first in KEPT_OR_DROPPED.items():
    _tokens = partial(tokens_of, first=_first)
    register(Variant("coherence", f"raw{_suffix}", coherence, _tokens))
    _seen = partial(autocorrelations, first=_first)
    for _lag in (1, 2, 3):
        _at = partial(autocorrelation, lag=_lag)
        register(Variant("autocorrelation", f"lag{_lag}{_suffix}", _at, _seen))
    register(Variant("autocorrelation", f"time{_suffix}", correlation_time, _seen))
    _graph = partial(laplacian_spectrum, first=_first)
    for _count in (1, 2):
        _mean = partial(connectivity, count=_count)
        register(Variant("connectivity", f"k{_count}{_suffix}", _mean, _graph))


# --- What confounds them ------------------------------------------------------------------------


@metric("first_token_norm", "ratio")
def first_token_norm(gram: Floats) -> Floats:
    """|x_1| over the mean |x_t| of the other tokens: large where the first token is a sink."""
    norms = np.sqrt(squared_norms(gram))
    others = norms[:, 1:]
    return ratio(norms[:, 0], mean_over(others, np.ones(others.shape, dtype=bool)))


@metric("first_token_norm", "share")
def first_token_share(gram: Floats) -> Floats:
    """|x_1|² / Σ |x_t|², its share of the Gram's trace: 1/T where all tokens are of one norm. A
    token that is alone takes nothing over, and has none."""
    squared = squared_norms(gram)
    share = ratio(squared[:, 0], squared.sum(axis=1))
    return share if squared.shape[1] > 1 else np.full(len(gram), np.nan)


@metric("norm", "log")
def log_norm(gram: Floats) -> Floats:
    """Mean over tokens of ln |x_t|: the size of the activations, a sink weighing no more than any
    other token. A token of norm 0 has none and is left out."""
    squared = squared_norms(gram)
    there = squared > 0
    return mean_over(np.log(np.where(there, squared, 1)) / 2, there)


@metric("tokens", "count")
def token_count(gram: Floats) -> Floats:
    """T, the number of tokens: entropy cannot exceed ln T."""
    return np.full(len(gram), float(gram.shape[-1]))
