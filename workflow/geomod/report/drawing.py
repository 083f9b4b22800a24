"""What all figures share: sizes, colours, axes of training and of depth, panels.

Figures are drawn at the size at which they are printed: as wide as one or two columns of a page,
type 7 to 8 points high. Colours mean the same everywhere: a model has its colour, so has a region,
a module and a verdict; those that must be told apart can be by readers who confuse red and green.
Training is always on a log axis, log2(step + 1), and layer 0 (the embedding) at the bottom.
"""

from collections.abc import Mapping, Sequence
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
MODULE_COLOURS = {"low": "#0072b2", "high": "#d55e00", "all": "#c4c4c4"}  # Okabe and Ito's
BETWEEN = ("#f0e442", "#e8c100", "#c9a227")  # the modules between low and high
VERDICT_COLOURS = {"supported": "#0b5c8f", "undecided": "#8a8a8a", "not supported": "#c04f00"}
OTHER = "#9a9a9a"
INK = "#2b2b2b"
BASELINE_COLOURS = {
    "length": "#8c6bb1",
    "word_rate": "#56b4e9",
    "position": "#cc79a7",
    "smooth": "#e6ab02",
    "untrained": "#009e73",
    "nuisances": "#7a5230",
}
ONE_COLUMN, TWO_COLUMNS, PAGE = 3.5, 7.1, 9.2  # inches; the last is how high a page is
LONG = 22  # letters of a label that stand beside a map
MAP = 1.6  # of a row of maps, whose models are named once above all
# Of maps: what has to do with the brain, and what is of the model alone, are told apart by their
# colours. Both rise in lightness alone.
ALIGNMENT_COLOURS, GEOMETRY_COLOURS = "magma", "viridis"  # known to matplotlib and Vega
SIDE_COLOURS = {"left": "#3a7ebf", "right": "#d9822b"}  # of two things that are compared
LOG2_OF_10 = np.log2(10)  # half-times are log10(step + 1), the axis of training is log2(step + 1)

MARKED: Any = {"marker": "o", "ms": 2.5, "lw": 1.3}  # a curve of one point can be seen too

STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": 7,
    "axes.titlesize": 7.5,
    "figure.titlesize": 8,
    "legend.fontsize": 7,
    "legend.title_fontsize": 7,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text: it can be found, read aloud and edited
    "pdf.fonttype": 42,  # whole fonts in the file
    "svg.hashsalt": "geomod",  # the same figure is the same file
    "savefig.bbox": "tight",
}


def panels(
    rows: int,
    columns: int,
    width: float = 2.4,
    height: float = 1.9,
    sharey: bool | Literal["row"] = False,
    **how: Any,
) -> tuple[Figure, np.ndarray]:
    """Rows × columns of axes, as wide as two columns of a page at most, and as high as one.

    More than six panels in a row would be too narrow to read, more than nine rows too low: the
    figure grows instead.
    """
    widest, highest = max(TWO_COLUMNS, 1.04 * columns + 0.8), max(PAGE, float(rows))
    size = min(width * columns + 0.8, widest), min(height * rows, highest)
    figure = Figure(figsize=size)
    figure.set_layout_engine("constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=sharey, **how)
    return figure, axes


def declutter(figure: Figure) -> None:
    """Keep every label of an axis, or every second, third …, so that none lies on another.

    Then all has its place, and no drawing of the figure need find it again.
    """
    if engine := figure.get_layout_engine():
        engine.execute(figure)
    else:
        figure.draw_without_rendering()
    for axes in figure.axes:
        for axis, side in ((axes.xaxis, "x"), (axes.yaxis, "y")):
            labels = [tick.label1 for tick in axis.get_major_ticks()]
            shown = [label for label in labels if label.get_visible() and label.get_text()]
            boxes = [label.get_window_extent() for label in shown]
            stretches = [getattr(box, f"interval{side}") for box in boxes]
            every = spacing(stretches, gap=3 if side == "x" else 0)
            for place, label in enumerate(shown):
                label.set_visible(place % every == 0)
    figure.set_layout_engine(None)


def spacing(stretches: Sequence[np.ndarray], gap: float) -> int:
    """The smallest k such that every k-th of these stretches is at least `gap` from the next."""
    for every in range(1, len(stretches)):
        ends = np.sort(np.array(stretches[::every]), axis=0)
        if (ends[1:, 0] >= ends[:-1, 1] + gap).all():
            return every
    return max(len(stretches), 1)


def legend_below(figure: Figure, axis: Axes, title: str | None = None) -> None:
    """What the lines of a panel are, below all panels, in as many columns as there is room for."""
    handles, labels = axis.get_legend_handles_labels()
    width = 0.5 + 0.065 * max(map(len, labels), default=0)  # inches: a line, and letters
    columns = min(len(labels), max(int(figure.get_figwidth() / width), 1))
    figure.legend(handles, labels, loc="outside lower center", title=title, ncols=columns)


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


def by_model(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Each model's rows, in their order."""
    return {str(name): rows for name, rows in table.groupby("model", sort=False)}


def at_last_step(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["step"] == rows["step"].max()]


def of_last_layer(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["layer"] == rows["layer"].max()]


def model_colours(models: pd.Series) -> dict[str, tuple[float, ...]]:
    names = list(pd.unique(models))
    return dict(zip(names, sns.color_palette("crest", len(names)), strict=True))


def module_colours(modules: pd.Series) -> dict[str, str]:
    """From low to high, those between them in shades of one colour."""
    names = set(modules)
    between = sorted(names - set(MODULE_COLOURS))
    shades = {name: BETWEEN[min(place, len(BETWEEN) - 1)] for place, name in enumerate(between)}
    colours = {"low": MODULE_COLOURS["low"], **shades, **MODULE_COLOURS}
    return {name: colours[name] for name in colours if name in names}


def region_colours(regions: pd.Series) -> dict[str, Any]:
    """The fixed colours of known regions, and others for those of a user's own names.

    Known ones come first, in the same order in every figure, and those of one's own as they are.
    """
    names = list(pd.unique(regions))
    others = [name for name in names if name not in REGION_COLOURS]
    own = dict(zip(others, sns.color_palette("husl", len(others)), strict=True))
    return {name: REGION_COLOURS[name] for name in REGION_COLOURS if name in names} | own


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
    return model if step is None else f"{model}\nstep {short(step)}"


def tick_steps(steps: pd.Series | Sequence[int], most: int = 5) -> list[int]:
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
    *,
    first: bool = True,
    last: bool = True,
) -> None:
    """A row of layer × step maps, one a model, on one colour scale; of one step each, lines.

    Of rows one below the other the `first` names the models, and the `last` the axis of steps.
    """
    if all(only_step(rows) is not None for _, rows in values.groupby("model")):
        draw_depths(axes, values, models, label)
        return
    finite = values["value"][np.isfinite(values["value"])]
    scale = mpl.colors.Normalize(*(finite.quantile([0.01, 0.99]) if len(finite) else (0, 1)))
    cmap = mpl.colormaps[colours].with_extremes(bad="#dddddd")
    for column, (axis, model) in enumerate(zip(axes, models, strict=True)):
        grid = grid_of(values[values["model"] == model])
        edges = np.arange(grid.shape[1] + 1), layer_edges(grid.index)
        mesh = axis.pcolormesh(*edges, grid.to_numpy(), cmap=cmap, norm=scale, rasterized=True)
        axis.set_title(model if first else "")
        axis.set_ylabel("layer" if column == 0 else "")
        axis.yaxis.set_major_locator(mpl.ticker.MaxNLocator(5, integer=True))
        axis.set_xlabel("training step" if last else "")
        step_ticks(axis, grid.columns)
    # A long name beside one map would run into those above and below it.
    told = label.replace(" (", "\n(", 1) if len(label) > LONG else label
    figure.colorbar(mesh, ax=list(axes), label=told, extend="both")


def draw_rows(
    figure: Figure,
    axes: np.ndarray,
    rows: Mapping[str, pd.DataFrame],
    models: Sequence[str],
    colours: str,
) -> None:
    """Rows of maps by their labels, one below the other."""
    for place, (label, values) in enumerate(rows.items()):
        ends = {"first": place == 0, "last": place == len(rows) - 1}
        draw_maps(figure, axes[place], values, models, label, colours, **ends)


def draw_depths(axes: np.ndarray, values: pd.DataFrame, models: Sequence[str], label: str) -> None:
    """A row of lines over depth, one a model at its one step, the embedding at the bottom."""
    for column, (axis, model) in enumerate(zip(axes, models, strict=True)):
        rows = values[values["model"] == model].sort_values("layer")
        axis.plot(rows["value"], rows["layer"], color=INK, **MARKED)
        axis.set_title(titled(model, rows))
        axis.set_xlabel(label)
        axis.set_ylabel("layer" if column == 0 else "")
        axis.yaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
