"""Sweeps with known answers, on a given grid and with noise like that of given data.

What the calibration and the coverage of the intervals are measured on. Nothing is read from
files and no model runs: these are tables' worth of numbers, thousands of sweeps in minutes. A
*world* is what holds of models beside the answers: how their profiles run over depth, and how
unlike the scores of blocks, checkpoints and people are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from geomod.claims.claim import Claim, Evidence, Truth
from geomod.curves.curves import (
    AVERAGE,
    FUNCTIONAL,
    HEADLINE,
    LOSS,
    Curves,
    log_step,
    relative_depth,
)
from geomod.curves.settings import Settings
from geomod.emergence.noise import autoregressive
from geomod.modules.clusters import standardize
from geomod.modules.partition import split

Array = NDArray[np.float64]

SWEEP = "sweep"  # the world that is meant where none is named
PLATEAU = 0.2  # r; the scale of the simulated scores where nothing else is said
APART = 0.06  # decades; SD over models of a half-time of competence


@dataclass(frozen=True)
class Frame:
    """The grid of one model."""

    model: str
    parameters: float
    steps: tuple[int, ...]
    layers: int


@dataclass(frozen=True)
class Scatter:
    """How curves of layers differ, in units of the rise of their mean curve."""

    smooth: float  # SD over depth of what follows depth smoothly
    rough: float  # SD over layers of what lasts through training
    noise: float  # SD over steps of what does not
    rho: float  # autocorrelation of the noise from step to step
    rho_depth: float  # correlation of rough and noise from block to block


# Where nothing can be estimated: the values that the shipped demo shows.
USUAL = Scatter(smooth=0.3, rough=0.1, noise=0.1, rho=0.5, rho_depth=0.3)


@dataclass(frozen=True)
class Design:
    """Everything about a sweep except its answers."""

    frames: tuple[Frame, ...]
    regions: tuple[str, ...]
    participants: int
    geometry: Scatter
    score: Scatter
    person: float  # SD of a participant's own noise, in units of the rise
    plateau: float = PLATEAU  # r; the scale of the scores
    # SD over steps of each family of competence, in units of its known range; none: not measured.
    competence: tuple[tuple[str, float], ...] = ()

    def answers(self, claim: Claim) -> bool:
        """Whether such a sweep has the competence that the claim is about."""
        return set(claim.families) <= {family for family, _ in self.competence}


@dataclass(frozen=True)
class World:
    """What holds of models beside the answers."""

    profile: Callable[[int, np.random.Generator], Array]  # over depth, of blocks; SD about 1
    uneven: float = 0.0  # SD of ln(scatter of scores) over blocks, and over checkpoints
    gains: float = 0.0  # SD of ln(gain) over participants


def simulate(
    design: Design,
    truth: Truth,
    rng: np.random.Generator,
    *,
    noise: np.random.Generator | None = None,
    world: World | None = None,
    temporal: Sequence[str] = Settings.temporal,
    frontal: Sequence[str] = Settings.frontal,
) -> list[Curves]:
    """One sweep: the curves of all its models, in the world `sweep` if none is named.

    `rng` draws what the models are (midpoints, shapes over depth), `noise` how they deviate from
    it; the same `rng` with another `noise` is the same experiment done again.
    """
    noise = rng if noise is None else noise
    sizes = np.log10([frame.parameters for frame in design.frames])
    late_by = dict.fromkeys(frontal, truth.lead / 2) | dict.fromkeys(temporal, -truth.lead / 2)
    blocks = []
    for frame, size in zip(design.frames, sizes, strict=True):
        z = truth.coupling + truth.growth * (size - sizes.mean())
        found = _simulate_model(
            design, frame, truth, world or WORLDS[SWEEP], float(np.tanh(z)), late_by, rng, noise
        )
        blocks.append(found if truth.more is None else truth.more(found, noise))
    return blocks


def evidence_of(curves: Sequence[Curves], claim: Claim, settings: Settings, seed: int) -> Evidence:
    """What a claim reads of a simulated sweep; nothing that stands beside its verdict."""
    found = Evidence(curves, settings, seed, beside=False)
    return replace(found, modules=label_modules(curves)) if claim.of_modules else found


def _simulate_model(
    design: Design,
    frame: Frame,
    truth: Truth,
    world: World,
    coupling: float,
    late_by: dict[str, float],
    rng: np.random.Generator,
    noise: np.random.Generator,
) -> Curves:
    time, n = log_step(frame.steps), len(frame.steps)
    lower = (np.arange(frame.layers) >= frame.layers // 2).astype(float)

    def rise(t50: float, width: float) -> Array:
        return expit((time - t50) / width)[:, None]

    def midpoint() -> float:
        return float(rng.uniform(0.4, 0.7) * time[-1])

    # The two metrics share the shape over depth, as they do in real models, not the deviations.
    profile = 1 + design.geometry.smooth * world.profile(frame.layers, rng)
    when = rise(midpoint(), 0.3)
    metrics = {}
    deviations = {}
    for metric in HEADLINE:
        deviations[metric] = deviate(design.geometry, n, frame.layers, noise)
        metrics[metric] = 2 - when * (profile + truth.separation * lower) + deviations[metric]

    # Deviations of the score: curvature's own, turned over, and independent ones of equal size.
    uneven = unevenness(world.uneven, n, frame.layers, rng)
    own = uneven * deviate(design.score, n, frame.layers, noise)
    shared = deviations["curvature"] * _ratio(design.score, design.geometry)
    common = -coupling * shared + np.sqrt(1 - coupling**2) * own
    over_depth = 1 + design.score.smooth * world.profile(frame.layers, rng)
    over_depth = over_depth + truth.advantage * lower
    t50 = midpoint()
    score = np.empty((n, frame.layers, len(design.regions)))
    for r, region in enumerate(design.regions):
        score[..., r] = rise(t50 + late_by.get(region, 0.0), 0.3) * over_depth + common
        # A region's own deviations are small beside what all regions share.
        score[..., r] += 0.3 * uneven * deviate(design.score, n, frame.layers, noise)
    own_scatter = Scatter(0.0, 0.0, design.person, design.score.rho, design.score.rho_depth)
    people = np.array(
        [
            gain * score
            + uneven[..., None]
            * np.stack([deviate(own_scatter, n, frame.layers, noise) for _ in design.regions], -1)
            for gain in gains_of(world.gains, design.participants, rng)
        ]
    ).reshape(design.participants, *score.shape)
    if design.participants:
        score = people.mean(axis=0)
    return Curves(
        model=frame.model,
        steps=np.array(frame.steps, dtype=np.int64),
        layers=np.arange(1, frame.layers + 1),
        regions=design.regions,
        metrics=metrics,
        score=design.plateau * score,
        participants=tuple(str(i) for i in range(design.participants)),
        people=design.plateau * people,
        folds=np.empty((0, *score.shape)),
        parameters=frame.parameters,
        competence=_competence(design, truth, time, t50, rng, noise),
    )


def _competence(
    design: Design,
    truth: Truth,
    time: Array,
    t50: float,
    rng: np.random.Generator,
    noise: np.random.Generator,
) -> dict[str, Array]:
    """Shares of known ranges [steps], about alignment's half-time as the truth says."""
    formal = t50 - truth.position * truth.gap
    # The loss falls first of all; a family of other name comes with formal competence.
    middle = {FUNCTIONAL: formal + truth.gap, LOSS: 0.6 * formal}
    found = {}
    for family, spread in design.competence:
        half = middle.get(family, formal) + APART * float(rng.standard_normal())
        scatter = autoregressive(design.score.rho, time.shape, noise, axis=0)
        found[family] = expit((time - half) / 0.3) + spread * scatter
    return found


def at_steps(curves: Curves, steps: Sequence[int] | NDArray[np.int64]) -> Curves:
    """The same model, had only these checkpoints been saved."""
    keep = np.isin(curves.steps, steps)
    return replace(
        curves,
        steps=curves.steps[keep],
        metrics={name: values[keep] for name, values in curves.metrics.items()},
        score=curves.score[keep],
        people=curves.people[:, keep],
        folds=curves.folds[:, keep],
        controls={name: values[keep] for name, values in curves.controls.items()},
        competence={name: values[keep] for name, values in curves.competence.items()},
        retaken={name: values[:, keep] for name, values in curves.retaken.items()},
    )


def smooth_profile(layers: int, rng: np.random.Generator, length: float = 0.4) -> Array:
    """A random smooth shape over depth, a Gaussian process of variance 1.

    Deliberately not a parabola, which is what the tests take out.
    """
    depth = relative_depth(layers)
    covariance = np.exp(-0.5 * ((depth[:, None] - depth) / length) ** 2) + 1e-9 * np.eye(layers)
    return np.linalg.cholesky(covariance) @ rng.standard_normal(layers)


def any_field(layers: int, rng: np.random.Generator) -> Array:
    """A Gaussian process over depth of any length between .15 and .6."""
    return smooth_profile(layers, rng, length=float(rng.uniform(0.15, 0.6)))


def walk(layers: int, rng: np.random.Generator) -> Array:
    """A Gaussian random walk from block to block."""
    return standardize(rng.standard_normal((layers, 1)).cumsum(axis=0))[:, 0]


def steep_ends(layers: int, rng: np.random.Generator) -> Array:
    """First and last blocks that differ from the others, each with a height and a decay."""
    depth = relative_depth(layers)
    heights, decays = rng.uniform(0.5, 1.5, 2), rng.uniform(0.03, 0.12, 2)
    ends = heights * np.exp(-np.stack([depth, 1 - depth], axis=-1) / decays)
    return standardize(ends.sum(axis=-1, keepdims=True))[:, 0]


def unevenness(spread: float, steps: int, layers: int, rng: np.random.Generator) -> Array:
    """Factors of the scatter at every step and block [steps, layers], of mean square 1."""
    if not spread:
        return np.ones((steps, layers))
    factor = np.exp(spread * (rng.standard_normal((steps, 1)) + rng.standard_normal(layers)))
    return np.asarray(factor / np.sqrt((factor**2).mean()))


def gains_of(spread: float, participants: int, rng: np.random.Generator) -> Array:
    """How strongly each participant shows what all share; 1 on average over all who could be."""
    if not spread or not participants:
        return np.ones(participants)
    return np.asarray(np.exp(spread * rng.standard_normal(participants) - spread**2 / 2))


def deviate(scatter: Scatter, steps: int, layers: int, rng: np.random.Generator) -> Array:
    """Deviations [steps, layers]: a lasting part and an AR(1) over steps, both AR(1) over depth."""
    lasting = autoregressive(scatter.rho_depth, (1, layers), rng, axis=1)
    passing = autoregressive(scatter.rho_depth, (steps, layers), rng, axis=1)
    for step in range(1, steps):
        passing[step] = (
            scatter.rho * passing[step - 1] + np.sqrt(1 - scatter.rho**2) * passing[step]
        )
    return scatter.rough * lasting + scatter.noise * passing


# The first is what levels and power are told of; the others are where a level might not hold.
WORLDS: dict[str, World] = {
    SWEEP: World(smooth_profile),
    "smooth fields": World(any_field),
    "random walks": World(walk),
    "steep ends": World(steep_ends),
    "uneven scatter": World(smooth_profile, uneven=0.5),
    "unequal gains": World(smooth_profile, gains=0.5),
}


def _ratio(numerator: Scatter, denominator: Scatter) -> float:
    return float(
        np.hypot(numerator.rough, numerator.noise) / np.hypot(denominator.rough, denominator.noise)
    )


def label_modules(curves: Sequence[Curves]) -> pd.DataFrame:
    """Two modules at every step of the last decade: the columns that the claims need."""
    rows = []
    for c in curves:
        late, names = np.flatnonzero(c.trained), []
        for i in late:
            cloud = np.stack([c.metrics["entropy"][i], c.metrics["curvature"][i]], axis=-1)
            labels = split(cloud, 2)
            names.append(
                np.where(labels == 0, "low", "high")
                if labels.any()
                else np.full(labels.shape, "all")
            )
        rows.append(
            pd.DataFrame(
                {
                    "model": c.model,
                    "step": np.repeat(c.steps[late], len(c.layers)),
                    "layer": np.tile(c.layers, len(late)),
                    "module": np.concatenate(names),
                }
            )
        )
    return pd.concat(rows, ignore_index=True).assign(agreement=np.nan, method="kmeans")


def as_tables(curves: Sequence[Curves]) -> dict[str, pd.DataFrame]:
    """The tables geometry, encoding and models that would have been gathered to these curves.

    The embedding (layer 0) is in them, as in real tables: with the geometry of the first block and
    scores of 0, since one and the same last token predicts nothing.
    """
    geometry, encoding = [], []
    for c in curves:
        everyone = [(AVERAGE, c.score), *zip(c.participants, c.people, strict=True)]
        for (i, step), (k, layer) in product(enumerate(c.steps), enumerate([0, *c.layers])):
            j, where = max(k - 1, 0), (c.model, step, layer)
            geometry += [
                (*where, metric, HEADLINE[metric], values[i, j])
                for metric, values in c.metrics.items()
            ]
            encoding += [
                (*where, region, name, scores[i, j, r] * (layer > 0))
                for name, scores in everyone
                for r, region in enumerate(c.regions)
            ]
    names = ["model", "step", "layer"]
    sizes = [(c.model, c.parameters) for c in curves]
    return {
        "geometry": pd.DataFrame(geometry, columns=[*names, "metric", "variant", "mean"]),
        "encoding": pd.DataFrame(encoding, columns=[*names, "region", "participant", "score"]),
        "models": pd.DataFrame(sizes, columns=["model", "parameters"]),
    }
