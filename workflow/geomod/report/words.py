"""Measures in words: what a person reads in figures, in the explorer and in the glossary."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Measure:
    """A measure in words. Values of tables times `factor` are in `unit`."""

    label: str
    meaning: str
    unit: str = ""
    factor: float = 1.0

    def __call__(self, variant: str = "") -> str:
        """The label with its unit; a share of the highest possible value has none."""
        unit = self.unit_of(variant)
        return self.label + (f" ({unit})" if unit else "")

    def unit_of(self, variant: str = "") -> str:
        return "" if "-per-" in variant else self.unit


# By the names that they have in tables; those of a user's own are called by their names.
MEASURES: Mapping[str, Measure] = {
    "score": Measure(
        "encoding score",
        "how well the activity of a brain region is predicted from a layer: mean over held-out "
        "parts of the data of Pearson's r between predicted and measured responses",
        "Pearson r",
    ),
    "score_normalized": Measure(
        "share of the ceiling",
        "encoding score over the region's noise ceiling, the highest correlation that a perfect "
        "model could reach with data as noisy as these",
    ),
    "rsa": Measure(
        "RSA",
        "Spearman's ρ between the dissimilarities of sentences in the layer and in the region",
        "Spearman ρ",
    ),
    "trsa": Measure(
        "topological RSA",
        "RSA after small and large dissimilarities are flattened (geo-topological transform)",
        "Spearman ρ",
    ),
    "procrustes": Measure(
        "Procrustes",
        "cosine of the angle that the best rotation leaves between layer and region",
    ),
    "cka": Measure(
        "CKA with the region",
        "linear CKA between the layer's features and the region's responses",
    ),
    "entropy": Measure(
        "entropy",
        "over how many directions the tokens of a sentence spread in a layer: −Σ λ ln λ over the "
        "eigenvalues of their Gram matrix, scaled to the sum 1",
        "nats",
    ),
    "curvature": Measure(
        "curvature",
        "how sharply the path from token to token turns in a layer: mean angle between "
        "consecutive displacements; a straight line has 0°, a random walk 90°",
        "°",
        180 / np.pi,
    ),
    "effective_rank": Measure(
        "effective rank", "exp of the entropy of the singular values", "dimensions"
    ),
    "participation_ratio": Measure("participation ratio", "(Σλ)² / Σλ²", "dimensions"),
    "path_length": Measure(
        "path length", "sum of the distances from token to token", "units of the states"
    ),
    "step_length": Measure(
        "step length", "mean distance from token to token", "units of the states"
    ),
    "still_steps": Measure("still steps", "number of displacements without a direction", "steps"),
    "first_token_norm": Measure(
        "first token norm", "norm of the first token over the mean of the others", "ratio"
    ),
    "norm": Measure("norm", "mean ln of the tokens' norms", "ln of the states' unit"),
    "tokens": Measure("tokens", "number of tokens of a sentence", "tokens"),
    "rankme": Measure(
        "RankMe", "dimensions that the sentences fill, by the spectrum's entropy", "dimensions"
    ),
    "alpha_req": Measure("α-ReQ", "how fast the spectrum of the sentences' features falls"),
    "set_participation_ratio": Measure(
        "participation ratio of the sentences", "(Σλ)² / Σλ² over sentences", "dimensions"
    ),
    "twonn": Measure(
        "TwoNN", "dimensions of the sentences, by their two nearest neighbours", "dimensions"
    ),
    "gride": Measure("GRIDE", "the same by neighbours k and 2k", "dimensions"),
    "change": Measure(
        "change to the next step", "a layer at one measured step held against the next one"
    ),
    "likeness": Measure("likeness to the last step", "a layer held against its last measured step"),
    "surprisal": Measure(
        "surprisal",
        "mean of −ln p of the sentences' own tokens under the model: how unexpected they are to it",
        "nats a token",
    ),
    "task_score": Measure(
        "score of a task",
        "share of right answers, ties counting half; of reading times, what the model's surprisal "
        "adds to their prediction",
    ),
    "lens_surprisal": Measure(
        "surprisal by the lens",
        "how unexpected the next token is to a layer, if the model's own head is put on it",
        "nats a token",
    ),
    "lens_entropy": Measure("entropy by the lens", "entropy of what a layer expects", "nats"),
    "lens_kl": Measure(
        "divergence by the lens", "of the model's output from what a layer expects", "nats"
    ),
    "lens_top1": Measure(
        "agreement by the lens",
        "share of positions at which a layer and the model's output find the same token likeliest",
    ),
    "predictive_entropy": Measure(
        "predictive entropy", "mean entropy of the model's next-token distribution", "nats"
    ),
}


def measure(name: str) -> Measure:
    """A measure of this name; of one that is not known here, the name is all there is to say."""
    return MEASURES.get(name) or Measure(name.replace("_", " "), "")


def rounded(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}".replace("-", "−")


def of_each(words: Mapping[str, str]) -> str:
    """What is said of each of them, by name."""
    return "; ".join(f"{name} {said}" for name, said in words.items())


def duration(seconds: float) -> str:
    """12 s, 3 min 20 s, 5 h 7 min: the two largest units that say something."""
    if seconds != seconds:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (rest, "s")]
    told = [f"{count} {unit}" for count, unit in (parts[:2] if hours else parts[1:]) if count]
    return " ".join(told) or "0 s"
