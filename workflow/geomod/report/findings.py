"""What the page says first: the best layer of each region, and the claims in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
from scipy.stats import t as student

from geomod.report.drawing import NETWORK, of_average, varying
from geomod.report.series import with_dataset

Claim = Mapping[str, Any]


def best_layers(encoding: pd.DataFrame, folds: int, dataset: str) -> pd.DataFrame:
    """The block with the highest score of each dataset and region, over models and steps.

    Columns: dataset, region, model, step, layer, layers (blocks of that model), score, low, high,
    share (of the ceiling; NaN where there is none). The interval is that of a mean over k folds
    whose training rows overlap: score ± t(.975, k − 1) · SD · √(1/k + 1/(k − 1)), with the share
    of held-out to training rows 1/(k − 1) as Nadeau and Bengio (2003) correct it. It does not know
    that the score is the highest of many.
    """
    table = with_dataset(varying(of_average(encoding)), dataset)
    table = table[table["layer"] > 0].dropna(subset="score").reset_index(drop=True)
    by = ["dataset", "region"]
    best = table.loc[table.groupby(by, sort=False)["score"].idxmax()]
    spread = np.sqrt(1 / folds + 1 / (folds - 1))
    half = float(student.ppf(0.975, folds - 1)) * spread * best["score_sd"]
    deepest = table.groupby("model")["layer"].max()
    best = best.assign(
        low=best["score"] - half,
        high=best["score"] + half,
        share=best["score_normalized"],
        layers=best["model"].map(deepest).astype(int),
    )
    # First what all regions say together, then each.
    datasets = pd.factorize(best["dataset"])[0]
    each = (best["region"] != NETWORK).to_numpy(bool)
    best = best.iloc[np.lexsort([each, datasets])]  # a stable sort
    return best[[*by, "model", "step", "layer", "layers", "score", "low", "high", "share"]]


@dataclass(frozen=True)
class Told:
    """A claim as it is told to a visitor."""

    question: str
    measured: str  # what its estimate is
    test: str  # how its test works
    view: Mapping[str, str]  # what to look at in the explorer, where the run has it


TOLD: Mapping[str, Told] = {
    "modularization": Told(
        "Do the layers of a trained model fall into two groups?",
        "how far apart the two groups are in entropy and curvature together, in units of the "
        "scatter within them (a slope has such a distance, too: the test tells them apart)",
        "A step over depth is held against smooth profiles of four kinds: which of them describes "
        "the layers better, and how often a made-up smooth profile would look as much like a step.",
        {"left.measure": "entropy", "right.measure": "curvature"},
    ),
    "low complexity aligns": Told(
        "Does the simpler group of layers predict the brain better?",
        "encoding score of the group of low entropy and curvature less that of the other "
        "(above 0: the simpler one is better)",
        "The rises and falls of the scores over depth are turned upside down at random, which "
        "breaks their link with the groups and leaves neighbouring layers as alike as they are.",
        {"left.measure": "curvature", "right.measure": "score", "right.region": NETWORK},
    ),
    "temporal before frontal": Told(
        "Are temporal regions predicted earlier in training than frontal ones?",
        "time at which half of the rise is reached, temporal less frontal regions, in tenfold "
        "steps of training (below 0: temporal first)",
        "The difference is held against its standard error.",
        {
            "left.measure": "score",
            "left.region": "PostTemp",
            "right.measure": "score",
            "right.region": "IFG",
        },
    ),
    "curvature predicts alignment": Told(
        "Do layers with a straighter path from token to token predict the brain better?",
        "correlation of curvature and encoding score over layers, with the progress of training "
        "held fixed (below 0: straighter is better)",
        "The rises and falls of one of the two over depth are turned upside down at random, which "
        "breaks their link and leaves neighbouring layers as alike as they are.",
        {"left.measure": "curvature", "right.measure": "score", "right.region": NETWORK},
    ),
    "stronger with size": Told(
        "Is that link stronger in larger models?",
        "increase of the correlation (as Fisher's z) per tenfold size of the model "
        "(above 0: stronger)",
        "The increase is held against its standard error.",
        {"left.measure": "curvature", "right.measure": "score", "right.region": NETWORK},
    ),
    "follows formal competence": Told(
        "Does alignment rise when models learn grammar, rather than when they gain knowledge?",
        "how much nearer alignment's half-time lies to that of grammar than to that of knowledge "
        "(½: with grammar; −½: with knowledge)",
        "The half-time is held against the midpoint of the other two.",
        {
            "left.measure": "score",
            "left.region": NETWORK,
            "right.measure": "task_score",
            "right.variant": "formal",
        },
    ),
    "alignment saturates": Told(
        "Does alignment stop to rise while knowledge goes on to grow?",
        "by how much the late rise of alignment stays below what counts as none, and that of "
        "knowledge above it (above 0: both hold)",
        "Late slopes of the two curves are held against the smallest that matters, and against "
        "each other.",
        {
            "left.measure": "score",
            "left.region": NETWORK,
            "right.measure": "task_score",
            "right.variant": "functional",
        },
    ),
}

POOLED = (
    "The estimates of the datasets are averaged, weighted by their errors and by how far the "
    "datasets differ (random effects), and the mean is held against its standard error."
)
ANSWERS = {"supported": "yes", "not supported": "no", "undecided": "undecided"}


def told(claims: Sequence[Claim], calibration: pd.DataFrame | None) -> list[dict[str, Any]]:
    """The claims as the page shows them, in the order given; a user's own keep their words."""
    return [
        {
            **claim,
            **_words(claim),
            "dataset": claim.get("dataset"),
            "answer": ANSWERS.get(claim["verdict"], claim["verdict"]),
            "carried": claim["estimate"] is not None,
            "trust": _trust(claim, calibration),
        }
        for claim in claims
    ]


def _words(claim: Claim) -> dict[str, Any]:
    words = TOLD.get(claim["name"])
    if words is None:
        return {"question": claim["statement"], "measured": claim["unit"], "how": "", "view": None}
    told = {"question": words.question, "measured": words.measured}
    if claim.get("dataset") == "pooled":
        return {**told, "how": POOLED, "view": None}
    chosen = {"dataset": claim["dataset"]} if claim.get("dataset") else {}
    view = "#explore?" + urlencode({**chosen, **words.view})
    return {**told, "how": words.test, "view": view}


def _trust(claim: Claim, calibration: pd.DataFrame | None) -> str:
    """How often the verdict's test is wrong where the truth is known; empty where nobody asked."""
    if calibration is None:
        return ""
    same = (calibration["claim"] == claim["claim"]) & (calibration["test"] == claim["test"])
    rows = calibration[same].dropna(subset="level")
    if rows.empty:
        return "On this grid the test could not be tried."
    level, power = rows["level"].iloc[0], rows["power"].iloc[0]
    found = "" if power != power else f", and finds it in {power:.0%} of those with it"
    return (
        f"Tried on simulated sweeps of this very grid, it claims an effect in {level:.1%} of those "
        f"without one (5% are meant){found}."
    )
