"""Where the first token takes over: it is said, and what is left without it stands beside."""

import pandas as pd

MOST = 0.5  # of the Gram's trace: from here on it is the first token that is measured
UNITS = {"entropy": "nats", "curvature": "radians"}


def sinks(geometry: pd.DataFrame) -> list[str]:
    """A line for each model at whose first token most of the activations' power lies.

    `geometry` has the columns of `tables/geometry.parquet`. The headline is not changed: the line
    gives its mean over those layers at the last of those steps, and that without the first token.
    """
    shares = geometry[(geometry["metric"] == "first_token_norm") & (geometry["variant"] == "share")]
    lines = []
    for model, own in shares[shares["mean"] > MOST].groupby("model", sort=False):
        last = own[own["step"] == own["step"].max()]
        place = geometry[
            (geometry["model"] == model)
            & (geometry["step"] == last["step"].iloc[0])
            & geometry["layer"].isin(last["layer"])
        ]
        known = "; ".join(word for metric in UNITS if (word := _beside(place, metric)))
        layers, share = runs(last["layer"].tolist()), last["mean"].max()
        lines.append(
            f"{model}: the first token holds most of the trace of the Gram, {share:.0%} of it, in "
            f"layers {layers} at step {last['step'].iloc[0]} (first at step {own['step'].min()}), "
            "so that what is measured there is that token."
            + (f" With it and without it: {known}." if known else "")
        )
    return lines


def _beside(place: pd.DataFrame, metric: str) -> str:
    """The headline of a metric and the same without the first token, in words; else nothing."""
    means = place[place["metric"] == metric].groupby("variant", sort=False)["mean"].mean()
    if means.empty:
        return ""
    headline = str(means.index[0])
    kept = headline.split("-")
    dropped = [
        name
        for name in means.index
        if "drop1" in (parts := str(name).split("-"))
        and [part for part in parts if part != "drop1"] == kept
    ]
    if not dropped:
        return ""
    first, second = means[headline], means[dropped[0]]
    return f"{metric} {first:.3g} ({headline}) and {second:.3g} ({dropped[0]}) {UNITS[metric]}"


def runs(layers: list[int]) -> str:
    """1, 2, 3, 7 → 1–3, 7."""
    groups: list[list[int]] = []
    for layer in sorted(layers):
        if groups and layer == groups[-1][-1] + 1:
            groups[-1].append(layer)
        else:
            groups.append([layer])
    return ", ".join(f"{g[0]}–{g[-1]}" if len(g) > 1 else f"{g[0]}" for g in groups)
