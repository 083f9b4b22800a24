"""From the tidy tables to one block of curves a model: arrays over steps, layers, regions, people.

Everything that the inference does happens on these blocks. Training time is log10(step + 1)
throughout, depth runs from 0 (first block) to 1 (last block), and the embedding output (layer 0)
is left out: it knows only the last token's identity, so it belongs to no stage of processing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

Axis = Sequence[str] | NDArray[np.int64]

AVERAGE = "average"
# The variant of each metric that the paper reports.
HEADLINE = {"entropy": "raw", "curvature": "hosseini"}
# Families of competence that claims ask for, and what stands in their place as a control.
FORMAL, FUNCTIONAL, LOSS = "formal", "functional", "loss"
NORM = "activation_norm"  # the control that differs between the layers of a checkpoint


@dataclass(frozen=True)
class Curves:
    """What one model did over training. NaN marks what was not measured."""

    model: str
    steps: NDArray[np.int64]  # [steps], increasing, without duplicates of other checkpoints
    layers: NDArray[np.int64]  # [layers], blocks only
    regions: tuple[str, ...]
    metrics: Mapping[str, Array]  # name → [steps, layers], of the variant that was asked for
    score: Array  # [steps, layers, regions], of the participants' mean
    participants: tuple[str, ...]
    people: Array  # [participants, steps, layers, regions]
    folds: Array  # [folds, steps, layers, regions], of the participants' mean, may hold no fold
    parameters: float  # number of weights, NaN where unknown
    controls: Mapping[str, Array] = field(default_factory=dict)  # name → [steps, layers]
    ceilings: Mapping[str, float] = field(default_factory=dict)  # region → r, where one is known
    # Family → [steps], 0 at chance and 1 at the ceiling; and the same had other items been drawn,
    # [draws, steps], a draw being the same items in every model.
    competence: Mapping[str, Array] = field(default_factory=dict)
    retaken: Mapping[str, Array] = field(default_factory=dict)

    @property
    def time(self) -> Array:
        """log10(step + 1)."""
        return log_step(self.steps)

    @property
    def depth(self) -> Array:
        """Relative depth of the blocks, 0 … 1."""
        return relative_depth(len(self.layers))

    @property
    def trained(self) -> NDArray[np.bool_]:
        """The last decade of training, where claims about *the trained model* are read."""
        return last_decade(self.steps)

    def of(self, regions: Sequence[str]) -> Array:
        """Score [steps, layers], mean over those of `regions` that were measured."""
        return mean_ignoring_nan(self.score[..., self._columns(regions)], axis=-1)

    def people_of(self, regions: Sequence[str]) -> Array:
        """The same for each participant: [participants, steps, layers]."""
        return mean_ignoring_nan(self.people[..., self._columns(regions)], axis=-1)

    def folds_of(self, regions: Sequence[str]) -> Array:
        """The same for each outer fold: [folds, steps, layers]."""
        return mean_ignoring_nan(self.folds[..., self._columns(regions)], axis=-1)

    def _columns(self, regions: Sequence[str]) -> list[int]:
        return [self.regions.index(region) for region in regions if region in self.regions]


def log_step(steps: Sequence[int] | NDArray[np.int64]) -> Array:
    """Training time, log10(step + 1): step 0 lies at 0, and a unit is a factor of ten."""
    return np.log10(np.asarray(steps, dtype=float) + 1)


def relative_depth(layers: int) -> Array:
    """0 for the first block, 1 for the last; a lone block lies at 0."""
    return np.linspace(0, 1, layers) if layers > 1 else np.zeros(layers)


def last_decade(steps: Sequence[int] | NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which steps are at least a tenth of the last one."""
    steps = np.asarray(steps)
    return steps * 10 >= steps.max(initial=0)


def mean_ignoring_nan(values: Array, axis: int) -> Array:
    """`np.nanmean` that gives NaN, without a warning, where there is nothing to average."""
    seen = np.isfinite(values)
    total = np.where(seen, values, 0.0).sum(axis=axis)
    count = seen.sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def gather(
    geometry: pd.DataFrame,
    encoding: pd.DataFrame,
    models: pd.DataFrame | None = None,
    *,
    folds: pd.DataFrame | None = None,
    covariates: pd.DataFrame | None = None,
    competence: pd.DataFrame | None = None,
    retaken: pd.DataFrame | None = None,
    variants: Mapping[str, str] = HEADLINE,
) -> list[Curves]:
    """One `Curves` for each model that has geometry and scores, from the fewest weights upwards.

    `models` gives parameters by model, `folds` the score of each outer fold (column r),
    `covariates` any further columns by model, step and, where it has one, layer, and `variants`
    the variant of each metric. `competence` has a column a family beside model and step, `retaken`
    the same of other items (`geomod.competence.shares`). The size of the activations (`norm`),
    where the geometry has it, is a control too.
    """
    geometry, encoding = (table[table["layer"] > 0] for table in (geometry, encoding))
    sizes = {} if models is None else dict(zip(models["model"], models["parameters"], strict=True))
    blocks = []
    for model in sorted(set(geometry["model"]) & set(encoding["model"])):
        shapes = geometry[geometry["model"] == model]
        scores = encoding[encoding["model"] == model]
        steps = np.array(sorted(set(shapes["step"]) & set(scores["step"])), dtype=np.int64)
        layers = np.array(sorted(set(shapes["layer"]) & set(scores["layer"])), dtype=np.int64)
        regions = tuple(sorted(scores["region"].unique()))
        axes: dict[str, Axis] = {"step": steps, "layer": layers, "region": list(regions)}
        people = scores[scores["participant"].astype(str) != AVERAGE]
        people = people.assign(participant=people["participant"].astype(str))
        names = sorted(people["participant"].unique())
        outer = None if folds is None else folds[folds["model"] == model]
        if outer is not None and "participant" in outer:
            outer = outer[outer["participant"].astype(str) == AVERAGE]
        blocks.append(
            Curves(
                model=model,
                steps=steps,
                layers=layers,
                regions=regions,
                metrics={
                    metric: _metric(shapes, metric, variant, steps, layers)
                    for metric, variant in variants.items()
                },
                score=_cube(scores[scores["participant"].astype(str) == AVERAGE], "score", axes),
                participants=tuple(names),
                people=_cube(people, "score", {"participant": names, **axes}),
                folds=np.empty((0, len(steps), len(layers), len(regions)))
                if outer is None
                else _cube(outer, "r", {"fold": np.unique(outer["fold"]), **axes}),
                parameters=float(sizes.get(model, np.nan)),
                controls=_controls(covariates, model, steps, layers)
                | _size_of_activations(shapes, steps, layers),
                ceilings=_ceilings(scores),
                competence=_competence(competence, model, steps),
                retaken=_retaken(retaken, model, steps),
            )
        )
    return sorted(blocks, key=lambda block: (block.parameters, block.model))


def _metric(
    shapes: pd.DataFrame,
    metric: str,
    variant: str,
    steps: NDArray[np.int64],
    layers: NDArray[np.int64],
) -> Array:
    rows = shapes[(shapes["metric"] == metric) & (shapes["variant"] == variant)]
    return _cube(rows, "mean", {"step": steps, "layer": layers})


def _controls(
    covariates: pd.DataFrame | None,
    model: str,
    steps: NDArray[np.int64],
    layers: NDArray[np.int64],
) -> dict[str, Array]:
    if covariates is None:
        return {}
    rows = covariates[covariates["model"] == model]
    names = [name for name in covariates.columns if name not in {"model", "step", "layer"}]
    if "layer" in covariates:
        return {name: _cube(rows, name, {"step": steps, "layer": layers}) for name in names}
    by_step = {name: _cube(rows, name, {"step": steps}) for name in names}
    return {name: np.repeat(c[:, None], len(layers), axis=1) for name, c in by_step.items()}


def _ceilings(scores: pd.DataFrame) -> dict[str, float]:
    """The noise ceiling of each region of the participants' mean, where it is above 0."""
    if "ceiling" not in scores:
        return {}
    average = scores[scores["participant"].astype(str) == AVERAGE]
    known = average.groupby("region")["ceiling"].mean()
    return {str(region): float(ceiling) for region, ceiling in known[known > 0].items()}


def _competence(
    table: pd.DataFrame | None, model: str, steps: NDArray[np.int64]
) -> dict[str, Array]:
    if table is None:
        return {}
    rows = table[table["model"] == model]
    curves = {
        str(name): _cube(rows, name, {"step": steps})
        for name in table.columns
        if name not in {"model", "step"}
    }
    return {name: curve for name, curve in curves.items() if np.isfinite(curve).any()}


def _retaken(table: pd.DataFrame | None, model: str, steps: NDArray[np.int64]) -> dict[str, Array]:
    if table is None:
        return {}
    draws = np.unique(table["draw"])
    rows = table[table["model"] == model]
    return {
        str(family): _cube(own, "share", {"draw": draws, "step": steps})
        for family, own in rows.groupby("family", sort=True)
    }


def _size_of_activations(
    shapes: pd.DataFrame, steps: NDArray[np.int64], layers: NDArray[np.int64]
) -> dict[str, Array]:
    size = _metric(shapes, "norm", "log", steps, layers)
    return {NORM: size} if np.isfinite(size).any() else {}


def _cube(rows: pd.DataFrame, value: str, axes: Mapping[str, Axis]) -> Array:
    """A dense array over `axes` from a long table; NaN where the table has no row."""
    cube = np.full([len(labels) for labels in axes.values()], np.nan)
    places = [pd.Index(labels).get_indexer(rows[name]) for name, labels in axes.items()]
    known = np.all([place >= 0 for place in places], axis=0)
    cube[tuple(place[known] for place in places)] = rows[value].to_numpy(dtype=float)[known]
    return cube
