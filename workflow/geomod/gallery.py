"""The figures of the report: what each is called, what it shows, which tables it is drawn from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plate:
    """A figure in the report. `tables` are the names of its tables in `tables/`.

    `tests` are those whose outcome it shows; one that exceeds its level is named under it.
    """

    title: str
    caption: str
    tables: tuple[str, ...]
    tests: tuple[str, ...] = ()


GALLERY = {
    "learning": Plate(
        "Models learn",
        "Mean surprisal of the stimuli's own tokens over training, one line a model. Where it "
        "falls, the model comes to expect what the participants read.",
        ("tokens",),
    ),
    "geometry": Plate(
        "Geometry of every layer over training",
        "Von Neumann entropy of the token Gram matrix (nats) and curvature of the token "
        "trajectory (degrees), means over sentences, and any further metric of the config. Rows "
        "are layers, the embedding at the bottom; columns are checkpoints.",
        ("geometry",),
    ),
    "modules": Plate(
        "Modules of layers",
        "Top: each layer's module, from k-means on its standardized entropy and curvature. "
        "Bottom: silhouette of the partition, filled where it beats a smooth gradient over "
        "depth (p < .05). Two clusters can always be drawn; filled points say that they are "
        "more than a gradient. Dark lines: where entropy and curvature change their level from one "
        "block to the next, or one step to the next (a steep gradient is cut into levels too).",
        ("modules", "change_points", "tokens"),
        ("silhouette against a smooth gradient",),
    ),
    "encoding": Plate(
        "Encoding scores",
        "Pearson r between predicted and held-out responses of the language network (region "
        "netw where there is one, else the mean over regions; mean over folds). Rows are "
        "layers, columns are checkpoints.",
        ("encoding",),
    ),
    "low_high": Plate(
        "Which module aligns better",
        "Mean score of the blocks of low complexity less that of the blocks of high complexity, as "
        "partitioned at each step. The band is the interval of the language network, over "
        "participants and sentence folds. A gap says that there was no second module.",
        ("low_high", "tokens"),  # the latter for the order of the models
    ),
    "emergence": Plate(
        "When regions emerge",
        "Score of each region over training, mean over blocks, one panel a model. The vertical "
        "line is the half-time t50 of a fitted rise, the band its interval (the wider of a "
        "bootstrap over steps and a jackknife over participants). Curves that never level off "
        "have none, nor those that rise no more than noise drifts.",
        ("encoding", "emergence"),
        ("rise of a region beyond drift",),
    ),
    "ceilings": Plate(
        "Scores and noise ceilings",
        "Best score over checkpoints and blocks (points, a model each) under the noise ceiling "
        "of each region (bar, with its bootstrap interval). The best of many scores is biased "
        "upwards; it is shown to be held against the ceiling, not to be tested.",
        ("encoding", "ceiling"),
    ),
    "coupling": Plate(
        "Geometry and alignment",
        "Encoding score of the language network against curvature, one point a block and "
        "checkpoint, coloured by training step; r is their partial correlation given log10(step + "
        "1), the paper's. Points of one curve are not independent; the claims are tested on "
        "whole curves.",
        ("geometry", "encoding", "correlations"),
    ),
    "baselines": Plate(
        "What layers explain that baselines do not",
        "Top: encoding score of the language network, mean over blocks, beside that of simple "
        "predictors (dashed): the sentence's length, its position, and the same layer before "
        "training, where step 0 was measured. Bottom: explained variance that the layer adds to "
        "each of them. Below 0 the added features cost more than they bring.",
        ("baselines",),
    ),
    "multiverse": Plate(
        "Which choices matter",
        "The headline quantities under every pair of an entropy and a curvature variant, sorted; "
        "dots below say which pair. Lines are intervals, colours the verdict that each pair alone "
        "would give, its p paying for no other. The ring marks the variants of the claims; the "
        "title counts the pairs that share their verdict.",
        ("specification_curve",),
        ("module labels, signs of depth waves flipped", "signs of depth waves flipped"),
    ),
    "sets": Plate(
        "The sentences as a set, and layers compared",
        "Top: dimensions that the sentences' features fill, by the entropy of the covariance's "
        "eigenvalues (RankMe) and by nearest neighbours (TwoNN). Bottom: debiased linear CKA of "
        "each pair of layers at the first and the last step; a bright block is a stretch of depth "
        "over which the representation hardly changes. Grey: features of all sentences are equal, "
        "as in the embedding where all end in the same token.",
        ("population", "depth_similarity"),
    ),
}
