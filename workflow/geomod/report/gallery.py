"""The figures of the report: what each is called, what it shows, which tables it is drawn from.

A figure whose tables have nothing to show is left out, with a sentence that says what it needs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import pandas as pd

Tables = Mapping[str, pd.DataFrame]

# The templates in workflow/report/: those of the page, itself first, and of runs side by side.
PARTS = ("report.html.j2", "explorer.html.j2", "explorer.js", "style.css")
PARTS_OF_RUNS = ("runs.html.j2", "style.css")


@dataclass(frozen=True)
class Need:
    """What a figure cannot do without: in words, and asked of its tables."""

    words: str
    met: Callable[[Tables], bool]


@dataclass(frozen=True)
class Plate:
    """A figure in the report. `tables` are the names of its tables in `tables/`.

    `tests` are those whose outcome it shows; one that exceeds its level is named under it.
    """

    title: str
    caption: str
    tables: tuple[str, ...]
    need: Need
    tests: tuple[str, ...] = ()
    over_datasets: bool = False  # one figure holds all datasets of a run

    def lacking(self, tables: Tables) -> str:
        """A sentence that says what the figure needs; empty where its tables have that."""
        return "" if self.need.met(tables) else f"Left out: this figure needs {self.need.words}."


def lacking(tables: Tables) -> dict[str, str]:
    """The figures that are left out, and the sentence that stands in their place."""
    sentences = {name: plate.lacking(tables) for name, plate in GALLERY.items()}
    return {name: sentence for name, sentence in sentences.items() if sentence}


def of_dataset(tables: Tables, dataset: str) -> dict[str, pd.DataFrame]:
    """What the tables say of one dataset; what they say of none stays."""
    return {
        name: table[table["dataset"] == dataset].reset_index(drop=True)
        if "dataset" in table
        else table
        for name, table in tables.items()
    }


def any_value(words: str, table: str, column: str) -> Need:
    """At least one number in a column."""
    return Need(words, lambda tables: bool(tables[table][column].notna().any()))


def two_steps(words: str, table: str, column: str) -> Need:
    """A model with numbers at two steps or more: without them there is no training to see."""

    def met(tables: Tables) -> bool:
        seen = tables[table].dropna(subset=[column])
        steps = seen.groupby("model")["step"].nunique()
        return bool((steps > 1).any())

    return Need(words, met)


def two_choices(tables: Tables) -> bool:
    """Whether a quantity can be estimated under two specifications or more."""
    seen = tables["specification_curve"].dropna(subset=["estimate"])
    return bool((seen.groupby("quantity").size() > 1).any())


def nonempty(words: str, table: str) -> Need:
    """A table that some runs have, with a row in it."""
    return Need(words, lambda tables: table in tables and not tables[table].empty)


def effects_of_sizes(tables: Tables) -> bool:
    """Whether claim 4 has an effect in two models of known size or more."""
    if "claims" not in tables or tables["claims"].empty:
        return False
    rows = tables["claims"].loc[tables["claims"]["name"] == "curvature predicts alignment"]
    effects = [model for details in rows["details"] for model in details.get("models", [])]
    return len({model["model"] for model in effects}) > 1


def known_places(tables: Tables) -> bool:
    """Whether two of the regions are those whose places on the cortex are known here."""
    regions = set(tables["encoding"]["region"])
    if find_spec("nilearn") is None:
        return False
    return len(regions & {"IFGorb", "IFG", "MFG", "AntTemp", "PostTemp"}) > 1


def with_claims(tables: Tables, claims: Sequence[Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
    """The tables with the entries of claims.json beside them, for figures.

    `claims` are cut to a dataset as all tables are (`of_dataset`), `every_claim` is not: it names
    the dataset `of`.
    """
    table = claims_table(claims)
    return {**tables, "claims": table, "every_claim": table.rename(columns={"dataset": "of"})}


def claims_table(claims: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """An entry a row, with the interval's ends as columns."""
    columns = ["dataset", "claim", "name", "unit", "paper_direction", "test", "verdict"]
    rows = [
        {
            **{name: claim.get(name) for name in columns},
            "estimate": claim["estimate"],
            **dict(zip(("low", "high"), claim["interval"] or (None, None), strict=True)),
            "smallest": claim.get("smallest"),
            "planted": claim["planted"],
            "details": claim["details"],
        }
        for claim in claims
    ]
    numbers = dict.fromkeys(("estimate", "low", "high", "smallest"), float)
    names = [*columns, *numbers, "planted", "details"]
    return pd.DataFrame(rows, columns=names).astype(numbers)


GALLERY = {
    "forest": Plate(
        "The claims",
        "Estimate and interval of each claim, in its own unit, on each dataset. The colour is the "
        "verdict; the shaded stretch holds effects that are too small to matter. Where a brain is "
        "simulated, the name says whether the effect was planted; the power is that of the test "
        "on simulated sweeps of this run's own grid.",
        (),
        Need(
            "a claim that the data can carry",
            lambda tables: (
                "every_claim" in tables and bool(tables["every_claim"]["estimate"].notna().any())
            ),
        ),
        over_datasets=True,
    ),
    "learning": Plate(
        "Models learn",
        "Mean surprisal of the stimuli's own tokens over training, one line a model. Where it "
        "falls, the model comes to expect what the participants read.",
        ("tokens",),
        two_steps("a model of the next token at two steps or more", "tokens", "surprisal"),
    ),
    "geometry": Plate(
        "Geometry of every layer over training",
        "Von Neumann entropy of the token Gram matrix (nats) and curvature of the token trajectory "
        "(degrees), means over sentences, and any further metric of the config. Rows are layers, "
        "the embedding at the bottom; columns are checkpoints, and where each model has one alone, "
        "a line stands for them.",
        ("geometry",),
        any_value("a sentence with a geometry", "geometry", "mean"),
    ),
    "modules": Plate(
        "Modules of layers",
        "Top: each layer's module, from k-means on its standardized entropy and curvature. Bottom: "
        "silhouette of the partition, filled where complexity steps over depth beyond what smooth "
        "profiles look like (p < .05). Two clusters can always be drawn; filled points say that "
        "they are more than a gradient. Dark lines: where entropy and curvature change their level "
        "from one block to the next, or one step to the next (a steep gradient is cut into levels "
        "too).",
        ("modules", "change_points", "tokens"),
        any_value("a checkpoint that counts as evidence, with its geometry", "modules", "module"),
        ("step against smooth profiles",),
    ),
    "encoding": Plate(
        "Encoding scores",
        "Pearson r between predicted and held-out responses of the language network (region netw "
        "where there is one, else the mean over regions; mean over folds). Rows are layers, "
        "columns are checkpoints. Grey: the prediction is the same for all sentences, as from an "
        "embedding where all end in the same token.",
        ("encoding",),
        two_steps(
            "a model at two steps or more; one step stands in “Scores over depth”",
            "encoding",
            "score",
        ),
    ),
    "profiles": Plate(
        "Scores over depth",
        "Score of every region at each layer, at the last step of each model (mean over folds). "
        "Layer 0 is the embedding; it has no point where its prediction is the same for all "
        "sentences.",
        ("encoding",),
        any_value("a layer with an encoding score", "encoding", "score"),
    ),
    "low_high": Plate(
        "Which module aligns better",
        "Mean score of the blocks of low complexity less that of the blocks of high complexity, as "
        "partitioned at each step. The band is the interval of the language network, over "
        "participants and sentence folds; of a model with one step, each region has its own. A gap "
        "says that there was no second module.",
        ("low_high", "tokens"),  # the latter for the order of the models
        any_value(
            "a checkpoint whose blocks form a module of low and one of high complexity",
            "low_high",
            "low_minus_high",
        ),
    ),
    "emergence": Plate(
        "When regions emerge",
        "Score of each region over training, mean over blocks, one panel a model. Below, the "
        "half-time t50 of a fitted rise with its interval (the wider of a bootstrap over steps and "
        "a jackknife over participants). Curves that never level off have none, nor those that "
        "rise no more than noise drifts.",
        ("encoding", "emergence"),
        two_steps("a model at two steps or more (five for a half-time)", "encoding", "score"),
        ("rise of a region beyond drift",),
    ),
    "brain": Plate(
        "Where on the cortex",
        "Left hemisphere (fsaverage5), from the side. Left: half-time of the rise of each region's "
        "score, median over models. Right: best score over steps and blocks, mean over models. A "
        "patch is all cortex within 16 mm of about the middle of a region's parcel: a sketch of "
        "where regions are, not of their borders.",
        ("encoding", "emergence"),
        Need("nilearn, and two regions of the language network by their names", known_places),
    ),
    "ceilings": Plate(
        "Scores and noise ceilings",
        "Best score over checkpoints and blocks (points, a model each) under the noise ceiling of "
        "each region (bar, with its bootstrap interval). The best of many scores is biased "
        "upwards; it is shown to be held against the ceiling, not to be tested.",
        ("encoding", "ceiling"),
        any_value(
            "a noise ceiling: two participants or more, or a table named by `dataset.ceiling`",
            "ceiling",
            "ceiling",
        ),
    ),
    "coupling": Plate(
        "Geometry and alignment",
        "Encoding score of the language network against curvature, one point a block and "
        "checkpoint, coloured by training step; r is their partial correlation given log10(step + "
        "1), the paper's, where there is more than one step. Points of one curve are not "
        "independent; the claims are tested on whole curves.",
        ("geometry", "encoding", "correlations"),
        any_value("blocks with an encoding score", "encoding", "score"),
    ),
    "scale": Plate(
        "Does the effect grow with size?",
        "Effect of curvature on the encoding score in each model (partial correlation over layers, "
        "training progress held fixed, as Fisher's z; bars: ± 1.96 standard errors) over the "
        "model's size. The line is the trend of claim 5 and the band its interval, through the "
        "weighted middle of the points; below 0 straighter layers predict better.",
        ("tokens",),
        Need("an effect of curvature in two models or more (claim 4)", effects_of_sizes),
    ),
    "baselines": Plate(
        "What layers explain that baselines do not",
        "Top: encoding score of the language network, mean over blocks, beside that of simple "
        "predictors (dashed): the sentence's length, its position, and the same layer before "
        "training, where step 0 was measured. Bottom: explained variance that the layer adds to "
        "each of them, in the same colour and dashes. Below 0 the added features cost more than "
        "they bring.",
        ("baselines",),
        any_value(
            "a baseline beside the layers (`encoding.baselines`)", "baselines", "score_baseline"
        ),
    ),
    "multiverse": Plate(
        "Which choices matter",
        "The headline quantities under every pair of an entropy and a curvature variant, sorted; "
        "dots below say which pair. Lines are intervals, colours the verdict that each pair alone "
        "would give, its p paying for no other. The ring marks the variants of the claims; the "
        "title counts the pairs that share their verdict.",
        ("specification_curve",),
        Need(
            "a headline quantity that can be estimated under two variants or more of entropy or "
            "curvature (`geometry.entropy`, `geometry.curvature`)",
            two_choices,
        ),
        ("module labels, signs of depth waves flipped", "signs of depth waves flipped"),
    ),
    "sets": Plate(
        "The sentences as a set, and layers compared",
        "Top: dimensions that the sentences' features fill, by the entropy of the covariance's "
        "eigenvalues (RankMe) and by nearest neighbours (TwoNN), the latter at the last step also "
        "by scale (GRIDE, from neighbour k to 2k). Bottom: debiased linear CKA of each pair of "
        "layers at the first and, where there are more, the last step; a bright block is a stretch "
        "of depth over which the representation hardly changes. Grey: features of all sentences "
        "are equal, as in the embedding where all end in the same token.",
        ("population", "depth_similarity"),
        any_value("features that differ between sentences", "population", "value"),
    ),
    "speed": Plate(
        "How fast the representation of each layer moves",
        "From the top: angle by which a layer's representation of the sentences turns from a step "
        "to the next, over the decades of training between them (arccos of debiased linear CKA); "
        "what no rotation can undo of that way (Procrustes), in shares of the same with the "
        "sentences shuffled: at 1 the two steps have nothing in common; how alike the ways of the "
        "tokens through each sentence are at the two steps (flow); and debiased CKA with the last "
        "step, which rises late where a layer settles late. Columns are the earlier step of each "
        "pair. Grey: features of all sentences are equal, as in the embedding where all end in the "
        "same token.",
        ("speed",),
        any_value(
            "a model at two steps or more, with features that differ between sentences",
            "speed",
            "speed",
        ),
    ),
    "alignment": Plate(
        "Other measures of alignment",
        "How alike layers and regions arrange the sentences, by measures that fit nothing: of the "
        "mean response of each region, and of the pattern over its voxels in each participant. "
        "Means over regions and participants. Their heights cannot be compared with one another.",
        ("alignment",),
        any_value("a section `alignment` in the config", "alignment", "value"),
    ),
    "phases": Plate(
        "Phases of training",
        "RankMe (top) and the exponent of the covariance's spectrum (bottom) of the last layer's "
        "sentences over training. Bands are the phases that were found: dimensions fall (warm-up), "
        "rise (entropy-seeking) and fall again (compression-seeking), each further than noise that "
        "drifts; dotted lines the intervals of where they turn.",
        ("population", "phases"),
        two_steps("a model at two steps or more (eight for a phase)", "population", "value"),
    ),
    "lens": Plate(
        "What every layer expects of the next token",
        "The model's own final norm and unembedding, put on every layer: surprisal of the next "
        "token, divergence of the model's output from what the layer expects, and how often both "
        "find the same token likeliest. Rows are layers, the output at the top; columns are "
        "checkpoints.",
        ("lens",),
        any_value("the lens (`features.lens: true`) and a model with a head", "lens", "surprisal"),
    ),
    "depth": Plate(
        "The way through the layers",
        "At each model's last step: angle between neighbouring layers, cosine to the last layer, "
        "straightness of the way from the embedding, and how many directions the updates of all "
        "sentences take. Dashed: what a residual random walk with updates of the same lengths "
        "gives for nothing.",
        ("depth",),
        any_value("features that are finite at two layers or more", "depth", "value"),
    ),
    "blocks": Plate(
        "Blocks of layers",
        "Debiased linear CKA of each pair of layers at each model's last step. Lines are the cut "
        "into contiguous blocks that a random walk over depth is least likely to have, dotted "
        "where that, or a smooth gradient, has one as clear (p > .05). Below, p of each number of "
        "blocks: against smooth gradients, and against walks. A cut can always be drawn. Grey "
        "layers are alike for all sentences.",
        ("depth_similarity", "blocks"),
        any_value(
            "a checkpoint of four blocks or more that tell sentences apart",
            "blocks",
            "separation",
        ),
    ),
    "hierarchy": Plate(
        "Layers and the cortical order",
        "Correlation over regions of the block that predicts a region best (line), or of the mean "
        "depth weighted by scores (dashed), with the region's place in the order of the config; "
        "filled where p ≤ .05 over all orders of the regions. Layers have an order by themselves: "
        "hold the end of training against its beginning.",
        ("hierarchy",),
        any_value(
            "`dataset.hierarchy`, the places of four regions or more that have scores",
            "hierarchy",
            "rho",
        ),
    ),
    "competence": Plate(
        "What models know of language, and how well they predict the brain",
        "Scores of tasks over training, a row a family of tasks: thin each task, thick their mean, "
        "with its 95 % interval over items; dotted what guessing gives. Below, the encoding score "
        "of the language network, mean over blocks.",
        ("competence", "encoding"),
        nonempty("a section `competence` in the config", "competence"),
    ),
    "contrasts": Plate(
        "Which regions come first",
        "Half-time of the rise of the first regions of each contrast less that of the later ones, "
        "mean over models, with its interval; below 0 the first are earlier. The colour is the "
        "verdict of claim 3's test; q pays for all contrasts of the dataset.",
        ("contrasts",),
        Need(
            "`inference.contrasts`, with regions whose half-times can be read",
            lambda tables: (
                "contrasts" in tables and bool(tables["contrasts"]["estimate"].notna().any())
            ),
        ),
    ),
    "lags": Plate(
        "Whether words and scans are aligned",
        "Correlation of every region's responses with the word rate, by how long after the words "
        "they come. Blood follows speech by some 5 s (shaded: 2.5 to 7.5 s); a peak elsewhere says "
        "that words and scans are not aligned. Thick: the participants' average; thin: single "
        "participants; dotted: what three SDs of circular shifts reach.",
        ("lags", "lag_check"),
        nonempty("a dataset of stories", "lags"),
    ),
    "in_time": Plate(
        "Responses in time, and what shuffled splits would claim",
        "Above, every region's response to the word rate, second by second: a finite impulse "
        "response, in SDs. Thick: the participants' average; thin: single participants; dashed: "
        "what is planted, where it is known. Below, scores of each layer of every model's last "
        "checkpoint, with whole stories left out, and, dotted, with shuffled TRs: what neighbours "
        "in time would have claimed, in a region of noise as well. Grey: the same of bumps in "
        "time, features that know nothing of the words.",
        ("impulse", "shuffling"),
        nonempty("a dataset of stories with checkpoints", "impulse"),
    ),
    "competence_lags": Plate(
        "When alignment comes, beside competence",
        "Half-time of each region's alignment less that of each family of competence, in decades "
        "of training: mean over models with its interval, and single models as grey dots. Right "
        "of the line alignment comes later. A region, or a family, that is not half-way by the "
        "last step has none.",
        ("competence_lags",),
        any_value(
            "a section `competence`, and a region and a family that are half-way within the steps",
            "competence_lags",
            "lag",
        ),
    ),
    "planted": Plate(
        "What was planted, and what came back",
        "What was planted in the simulated brain and what came back, with its interval where there "
        "is one; on the line the two are the same. Blue: it agrees by the rule of its kind, "
        "orange: it does not, grey: not judged. Times are in log10(step + 1).",
        (),
        nonempty("a simulated brain, whose answers are known", "recovery"),
    ),
    "controls": Plate(
        "What the claims say of known answers",
        "Controls are responses, or for claim 1 profiles over depth, whose answer is known, made "
        "from this run's own features with its own noise. Bars: shares of their draws by verdict. "
        "Beside each stands what is planted, mean over draws: blue is power where that is on the "
        "paper's side, and a false positive in `null` and `graded`, where nothing is.",
        ("controls",),
        nonempty("a section `controls` in the config", "controls"),
    ),
}
