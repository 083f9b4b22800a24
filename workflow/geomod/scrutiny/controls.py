"""Responses with a known answer, made from a run's own features, at the noise of its own data.

A *control* is what participants would have shown had their regions answered to something known:
features of some blocks, of an early step, the length of a sentence, nothing at all (`signals.py`,
`noise.py`). Its responses are further columns of the fits that are made anyway, and one
factorization of a layer serves all of them (`encoding/controls.py`). They then go through curves,
modules and claims as real ones do (`comeback.py`).
"""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.base.errors import InputError
from geomod.brain.responses import AVERAGE
from geomod.curves.estimates import rng_of
from geomod.curves.settings import Settings
from geomod.encoding.controls import NOISE_FREE, TARGET, Controls
from geomod.scrutiny.noise import Noise
from geomod.scrutiny.profiles import PROFILES
from geomod.scrutiny.signals import standardized

Array = NDArray[np.float64]

# Kind → what the temporal, and what the other regions answer to.
KINDS: dict[str, tuple[str, str]] = {
    "smooth": ("low", "low"),
    "rough": ("high", "high"),
    "straight": ("straight", "straight"),
    "early": ("early", "early"),
    "late": ("late", "late"),
    "temporal_first": ("early", "late"),
    "length": ("length", "length"),
    "null": ("", ""),  # noise alone
}
OWN = "own"  # the kind that comes from a file
NULL = "null"


def make_controls(
    kinds: Sequence[str],
    draws: int,
    parts: Mapping[str, Array],
    noise: Noise,
    seed: int,
    settings: Settings | None = None,
    own: pd.DataFrame | None = None,
) -> tuple[Controls, dict[str, str]]:
    """Responses of every kind and draw; and why a kind has none.

    A region's signal is a random mix of the columns of its part, with variance 1, another in every
    draw; regions answer to mixes of their own. `own` has a row a sentence and a column a region, or
    one column for all, and is the same in every draw: its noise alone is not. Noise is another in
    every draw, and the same in all kinds.
    """
    settings = settings or Settings()
    reasons = {kind: why for kind in kinds if (why := _missing(kind, parts, own))}
    made = [kind for kind in kinds if kind not in PROFILES and kind not in reasons]
    given = {**parts, **({} if own is None else {OWN: own.to_numpy(dtype=float)})}
    asked = {part for kind in made for part in KINDS.get(kind, (OWN,))}
    # Lengths are counts of different things; features share a scale.
    columns = {
        name: standardized(x) if name in ("length", OWN) else x - x.mean(axis=0)
        for name, x in given.items()
        if name in asked
    }
    sentences = len(next(iter(given.values()))) if given else 0
    if not made:
        return Controls.nothing(sentences), reasons
    people = [*noise.participants, AVERAGE]
    noises, averages, of_noise = _noises(noise, sentences, seed, draws)
    targets: list[tuple[str, int, str, str, int, int]] = []
    signals: list[Array] = []
    for kind, draw in product(made, range(draws)):
        rng = rng_of(seed, "control", kind, draw)
        first = len(signals)
        signals += [_signal(kind, columns, region, settings, own, rng) for region in noise.regions]
        for i, (name, region) in enumerate(product([*people, NOISE_FREE], noise.regions)):
            signal = first + i % len(noise.regions)
            targets.append((kind, draw, region, name, signal, of_noise[draw, i]))
    return Controls(
        pd.DataFrame(targets, columns=[*TARGET, "signal", "noise"]),
        np.column_stack([np.empty((sentences, 0)), *columns.values()]),
        np.array(signals).T,
        noises,
        averages,
    ), reasons


def _missing(kind: str, parts: Mapping[str, Array], own: pd.DataFrame | None) -> str:
    if kind in PROFILES:
        return ""
    if kind == OWN:
        return "" if own is not None else "no file of responses was given"
    if kind not in KINDS:
        raise InputError(
            f"controls.kinds: {kind!r} is none of {', '.join([*KINDS, *PROFILES, OWN])}"
        )
    lacking = sorted({part for part in KINDS[kind] if part and part not in parts})
    return f"nothing to make it from: {' and '.join(lacking)}" if lacking else ""


def _signal(
    kind: str,
    columns: Mapping[str, Array],
    region: str,
    settings: Settings,
    own: pd.DataFrame | None,
    rng: np.random.Generator,
) -> Array:
    """How a region's signal mixes the columns of all parts: to SD 1, or not at all."""
    part, weights = OWN, None
    if kind == OWN:
        assert own is not None
        names = list(own.columns)
        place = names.index(region) if region in names else len(names) - 1
        weights = np.eye(len(names))[place]
    else:
        part = KINDS[kind][region not in settings.temporal]
    mix = []
    for name, values in columns.items():
        chosen = np.zeros(values.shape[1])
        if name == part:
            chosen = rng.standard_normal(len(chosen)) if weights is None else weights
            size = (values @ chosen).std()
            chosen = chosen / size if size else chosen
        mix.append(chosen)
    return np.concatenate([np.empty(0), *mix])


def _noises(
    noise: Noise, sentences: int, seed: int, draws: int
) -> tuple[Array, NDArray[np.intp], NDArray[np.intp]]:
    """Noise of every draw, participant and region, and then of every draw's and region's average.

    Together with the participants' columns of each average, and with each draw's columns: of the
    participants, their average and of what has no noise (−1), in all regions of each.
    """
    people, regions = noise.sd.shape
    rngs = (rng_of(seed, "control", "noise", draw) for draw in range(draws))
    drawn = (noise.sd[:, None] * rng.standard_normal((people, sentences, regions)) for rng in rngs)
    noises = np.hstack([own for each in drawn for own in each])
    own = np.arange(noises.shape[1]).reshape(draws, people, regions)
    averages = own.transpose(0, 2, 1)[: draws if noise.participants else 0].reshape(-1, people)
    of_average = (own.size + np.arange(len(averages))).reshape(draws, -1, regions)
    each = np.concatenate([own, of_average, np.full((draws, 1, regions), -1)], axis=1)
    means = noises[:, averages].mean(axis=2)
    return np.hstack([noises, means]), averages, each.reshape(draws, -1)
