"""What all figures share: colours, axes of training and of depth, panels.

Colours mean the same everywhere: a model has its colour, so has a region and a module. Training is
always on a log axis, log2(step + 1), and layer 0 (the embedding) at the bottom.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from geomod.base.extras import extra

with extra("report"):
    import matplotlib as mpl
    import seaborn as sns
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NETWORK = "netw"  # the language network as a whole
REGION_COLOURS = {
    "AntTemp": "#b3541e",
    "PostTemp": "#e08e45",
    "IFGorb": "#1d4e89",
    "IFG": "#3a7ebf",
    "MFG": "#7fb2de",
    "netw": "#2b2b2b",
    "noise": "#9a9a9a",  # the null region of a simulated brain
}
MODULE_COLOURS = {"low": "#2a7f62", "middle1": "#a9c7a0", "high": "#c8553d", "all": "#b8b8b8"}
OTHER = "#9a9a9a"
LOG2_OF_10 = np.log2(10)  # half-times are log10(step + 1), the axis of training is log2(step + 1)

MARKED: Any = {"marker": "o", "ms": 2.5, "lw": 1.3}  # a curve of one point can be seen too

STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "geomod",  # the same figure is the same file
    "savefig.bbox": "tight",
}


def panels(
    rows: int,
    columns: int,
    width: float = 2.4,
    height: float = 2.1,
    sharey: bool | Literal["row"] = False,
) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(width * columns + 0.8, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=sharey)
    return figure, axes


def of_average(encoding: pd.DataFrame) -> pd.DataFrame:
    return encoding[encoding["participant"] == "average"]


def varying(encoding: pd.DataFrame) -> pd.DataFrame:
    """`encoding` with NaN for the scores of predictions that are the same for all sentences.

    They correlate with nothing: their score is 0 in every fold by definition, not by measurement.
    """
    constant = (encoding["score"] == 0) & (encoding["score_sd"] == 0)
    return encoding.assign(score=encoding["score"].mask(constant))


def network_score(encoding: pd.DataFrame) -> pd.DataFrame:
    """model, step, layer, score: of the region `netw` where there is one, else of their mean."""
    table = of_average(encoding)
    whole = table[table["region"] == NETWORK]
    table = table if whole.empty else whole
    return table.groupby(["model", "step", "layer"], sort=False)["score"].mean().reset_index()


def model_colours(models: pd.Series) -> dict[str, tuple[float, ...]]:
    names = list(pd.unique(models))
    return dict(zip(names, sns.color_palette("crest", len(names)), strict=True))


def region_colours(regions: pd.Series) -> dict[str, Any]:
    """The fixed colours of known regions, and others for those of a user's own names."""
    names = list(pd.unique(regions))
    others = [name for name in names if name not in REGION_COLOURS]
    own = dict(zip(others, sns.color_palette("husl", len(others)), strict=True))
    return {name: REGION_COLOURS.get(name, own.get(name)) for name in names}


def time_of(step: pd.Series | np.ndarray | float) -> np.ndarray:
    return np.log2(np.asarray(step, dtype=float) + 1)


def short(step: float) -> str:
    """1000 → 1k, 143000 → 143k."""
    return f"{step / 1000:g}k" if step >= 1000 and step % 1000 == 0 else f"{step:.0f}"


def only_step(rows: pd.DataFrame) -> int | None:
    """The step of the rows where they share one."""
    steps = rows["step"].unique()
    return int(steps[0]) if len(steps) == 1 else None


def titled(model: str, rows: pd.DataFrame) -> str:
    """A panel's title: the model, and its step where the rows share one."""
    step = only_step(rows)
    return model if step is None else f"{model}, step {short(step)}"


def tick_steps(steps: pd.Series | Sequence[int], most: int = 6) -> list[int]:
    """At most `most` of the steps that were measured, evenly over the log axis, ends included."""
    unique = np.unique(np.asarray(steps))
    wanted = np.linspace(time_of(unique[0]), time_of(unique[-1]), min(most, len(unique)))
    nearest = [int(unique[np.argmin(np.abs(time_of(unique) - time))]) for time in wanted]
    return sorted(set(nearest))


def time_axis(axis: Axes, steps: pd.Series) -> None:
    ticks = tick_steps(steps)
    axis.set_xticks(time_of(ticks), [short(step) for step in ticks])
    axis.set_xlabel("training step")


def step_ticks(axis: Axes, steps: Sequence[int] | pd.Series | pd.Index) -> None:
    """Ticks for an axis with one place a checkpoint."""
    places = {int(step): place + 0.5 for place, step in enumerate(steps)}
    ticks = tick_steps(list(places))
    axis.set_xticks([places[step] for step in ticks], [short(step) for step in ticks])


def grid_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Layers × steps."""
    return rows.pivot_table(index="layer", columns="step", values="value", dropna=False)


def layer_edges(layers: pd.Index) -> np.ndarray:
    return np.append(layers.to_numpy(), layers.max() + 1) - 0.5


def draw_maps(
    figure: Figure,
    axes: np.ndarray,
    values: pd.DataFrame,
    models: Sequence[str],
    label: str,
    colours: str,
) -> None:
    """A row of layer × step maps, one a model, on one colour scale; of one step each, lines."""
    if all(only_step(rows) is not None for _, rows in values.groupby("model")):
        draw_depths(axes, values, models, label)
        return
    finite = values["value"][np.isfinite(values["value"])]
    scale = mpl.colors.Normalize(*(finite.quantile([0.01, 0.99]) if len(finite) else (0, 1)))
    cmap = sns.color_palette(colours, as_cmap=True).with_extremes(bad="#dddddd")
    for column, (axis, model) in enumerate(zip(axes, models, strict=True)):
        grid = grid_of(values[values["model"] == model])
        edges = np.arange(grid.shape[1] + 1), layer_edges(grid.index)
        mesh = axis.pcolormesh(*edges, grid.to_numpy(), cmap=cmap, norm=scale)
        axis.set_title(model)
        axis.set_ylabel("layer" if column == 0 else "")
        axis.yaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
        axis.set_xlabel("training step")
        step_ticks(axis, grid.columns)
    figure.colorbar(mesh, ax=list(axes), label=label, extend="both")


def draw_depths(axes: np.ndarray, values: pd.DataFrame, models: Sequence[str], label: str) -> None:
    """A row of lines over depth, one a model at its one step, the embedding at the bottom."""
    for column, (axis, model) in enumerate(zip(axes, models, strict=True)):
        rows = values[values["model"] == model].sort_values("layer")
        axis.plot(rows["value"], rows["layer"], color="#2b2b2b", **MARKED)
        axis.set_title(titled(model, rows))
        axis.set_xlabel(label)
        axis.set_ylabel("layer" if column == 0 else "")
        axis.yaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
