"""The registered measures of plain arrays, for whoever has neither Grams nor tables.

Entropy and curvature take the token states of a sentence at a layer, the others the features of a
set of sentences. NumPy arrays, PyTorch tensors and lists will do.
"""

from typing import Any, Literal

import numpy as np

from geomod.base.arrays import as_array
from geomod.base.errors import InputError
from geomod.geometry import sets
from geomod.geometry.catalogue import select
from geomod.geometry.grams import Floats


def entropy(states: Any, variant: str = "raw") -> float | Floats:
    """Von Neumann entropy in nats of token states [tokens, width], or of their other `variant`s.

    −Σ λ ln λ, λ the eigenvalues of X Xᵀ scaled to the sum 1. A stack [k, tokens, width], layers or
    sentences of one length, gives k numbers. Variants are those of the config (docs/geometry.md),
    such as `centred-drop1`. NaN where it is not defined, infinite where states are not finite.
    """
    return measure_states(states, "entropy", variant)


def curvature(states: Any, variant: str = "hosseini") -> float | Floats:
    """Mean angle in radians between consecutive steps of token states [tokens, width].

    0 along a straight line, π/2 in a random walk. NaN with fewer than three tokens. Stacks and
    variants as in `entropy`.
    """
    return measure_states(states, "curvature", variant)


def measure_states(states: Any, metric: str, variant: str = "raw") -> float | Floats:
    """Any registered measure of a sentence, of token states [tokens, width] or [k, tokens, width].

    `geomod.geometry.names()` lists them: path_length, effective_rank, those of your own …
    """
    x = as_array(states).astype(np.float64)
    if x.ndim not in (2, 3) or x.shape[-1] == 0:
        raise InputError(
            f"{metric} takes token states [tokens, width], or [k, tokens, width] of k layers or "
            f"sentences of one length, but the shape is {x.shape}"
        )
    (chosen,) = select({metric: [variant]})
    if chosen.since is not None:
        raise InputError(
            f"{metric}/{variant} compares a layer with layer {chosen.since}: take the difference "
            "of two values, or geomod.geometry.measure of the Grams of all layers"
        )
    with np.errstate(invalid="ignore", over="ignore"):
        grams = np.stack([tokens @ tokens.T for tokens in x.reshape(-1, *x.shape[-2:])])
    finite = np.isfinite(grams).all(axis=(1, 2))
    values = np.full(len(grams), np.inf)
    values[finite] = chosen.function(chosen.view(grams[finite], x.shape[-1]))
    return float(values[0]) if x.ndim == 2 else values


def rankme(features: Any, variant: Literal["singular", "eigenvalues"] = "singular") -> float:
    """Effective rank of features [sentences, width]: exp of the entropy of their singular values.

    `eigenvalues` takes those of the covariance in place of the singular values. Here and below,
    sentences that are not finite are left out, as in the tables, and NaN says there are too few.
    """
    those = _sentences(features)
    if variant == "singular":
        return sets.rankme(np.sqrt(those.spectrum))
    if variant == "eigenvalues":
        return sets.rankme(those.covariance)
    raise InputError(f"no variant `{variant}` of `rankme`; there are `singular`, `eigenvalues`")


def alpha_req(features: Any) -> float:
    """Exponent α of the power law that the eigenvalues of the covariance follow (α-ReQ)."""
    return sets.alpha_req(_sentences(features).covariance)[0]


def set_participation_ratio(features: Any) -> float:
    """(Σλ)² / Σλ² of the eigenvalues of the covariance, in dimensions."""
    return sets.participation(_sentences(features).covariance)


def twonn(features: Any) -> float:
    """Intrinsic dimension, by the two nearest neighbours of each sentence."""
    return sets.two_nn(_sentences(features).neighbours)[0]


def _sentences(features: Any) -> sets.Sentences:
    x = as_array(features)
    if x.ndim != 2:
        raise InputError(f"features [sentences, width] are needed, but the shape is {x.shape}")
    return sets.Sentences(x[np.isfinite(x).all(axis=1)].astype(np.float64))
