"""Tables of a sweep of paper size, simulated: every table that the report reads, in its columns."""

from itertools import pairwise, product
from typing import Any

import numpy as np
import pandas as pd

from geomod.base.tables import columns_of
from geomod.claims.claim import Truth
from geomod.claims.registry import CLAIMS
from geomod.scrutiny.synthetic import Design, Frame, Scatter, as_tables, simulate

STEPS = (
    0,
    1,
    2,
    4,
    8,
    16,
    32,
    64,
    128,
    256,
    512,
    1000,
    2000,
    4000,
    8000,
    16000,
    32000,
    64000,
    143000,
)
BLOCKS = {"pythia-70m": 6, "pythia-160m": 12, "pythia-410m": 24, "pythia-1b": 16}
PARAMETERS = {"pythia-70m": 7e7, "pythia-160m": 1.6e8, "pythia-410m": 4.1e8, "pythia-1b": 1e9}
REGIONS = ("netw", "IFGorb", "IFG", "MFG", "AntTemp", "PostTemp")
VARIANTS = {
    "entropy": ("raw", "raw-drop1", "centred", "normed", "clamped", "raw-per-lnmin"),
    "curvature": ("hosseini", "hosseini-drop1", "folded", "states"),
    "effective_rank": ("raw", "centred"),
    "path_length": ("raw",),
    "norm": ("log",),
}
SETS = (("rankme", "eigenvalues"), ("twonn", "raw"), *(("gride", f"k{2**i}") for i in range(4)))
PHASES = ("warm-up", "entropy-seeking", "compression-seeking")
TASKS = {
    **{f"grammar{k}": "formal" for k in range(12)},
    **{f"facts{k}": "functional" for k in range(4)},
}
FAMILIES = ("formal", "functional", "behaviour")
CONTROLS = ("smooth", "rough", "length", "null")
FACTS = ("noise ceiling", "null region", "t50", "frontal − temporal t50")
MEASURES = ("cka_debiased", "procrustes", "procrustes_shuffled", "flow")


def paper_tables(datasets: tuple[str, ...] = ("tuckute2024",)) -> dict[str, pd.DataFrame]:
    """By name; with several datasets their rows lie one below the other."""
    each = [_tables(name, seed) for seed, name in enumerate(datasets)]
    return {name: pd.concat([t[name] for t in each], ignore_index=True) for name in each[0]}


def _tables(dataset: str, seed: int) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    scatter = Scatter(smooth=0.3, rough=0.05, noise=0.05, rho=0.5, rho_depth=0.3)
    frames = tuple(Frame(m, PARAMETERS[m], STEPS, blocks) for m, blocks in BLOCKS.items())
    design = Design(frames, REGIONS, 5, scatter, scatter, person=0.1)
    truth = Truth(separation=1.0, advantage=0.3, lead=0.5, coupling=0.5, growth=0.2)
    found = as_tables(simulate(design, truth, rng))
    sweep = {"model": tuple(BLOCKS), "step": STEPS}
    deep = {**sweep, "layer": tuple(range(25))}

    def table(kind: str, **axes: Any) -> pd.DataFrame:
        rows = pd.DataFrame(list(product(*axes.values())), columns=list(axes))
        if "layer" in rows:
            rows = rows[rows["layer"] <= rows["model"].map(BLOCKS)]
        for column, dtype in columns_of(kind).items():
            if column not in rows:
                filled = rng.uniform(0.02, 0.04, len(rows))
                rows[column] = dataset if column == "dataset" else filled
                if dtype == "string" and column != "dataset":
                    rows[column] = ""
                if dtype in ("Int64", "int64"):
                    rows[column] = 1000
                if dtype == "boolean":
                    rows[column] = True
        return rows.astype({c: d for c, d in columns_of(kind).items() if c in rows})

    def rising(rows: pd.DataFrame, late: float = 2.5) -> np.ndarray:
        time = np.log10(rows["step"].to_numpy(float) + 1)
        depth = rows["layer"].to_numpy(float) / rows["model"].map(BLOCKS).to_numpy(float)
        return (1 + 0.6 * np.sin(3 * depth)) / (1 + np.exp(-(time - late) / 0.3))

    pairs = tuple((metric, name) for metric, names in VARIANTS.items() for name in names)
    geometry = _pairs(table("geometry", **deep, pair=pairs))
    base = found["geometry"].set_index(["model", "step", "layer", "metric"])["mean"]
    headline = geometry["metric"].where(
        geometry["metric"].isin(["entropy", "curvature"]), "entropy"
    )
    keys = pd.MultiIndex.from_frame(geometry[["model", "step", "layer"]].assign(metric=headline))
    number = geometry["variant"].map({name: i for i, (_, name) in enumerate(pairs)})
    shape = base.reindex(keys).to_numpy() + 0.02 * number.to_numpy(float)
    geometry["mean"] = np.where(headline == "curvature", 1.85 + 0.1 * shape, 1.5 + 0.4 * shape)
    geometry["sd"] = 0.1

    people = ("average", *(f"{i}" for i in range(5)))
    encoding = table("encoding", **deep, region=REGIONS, participant=people)
    keys = ["model", "step", "layer", "region", "participant"]
    scores = found["encoding"].set_index(keys)["score"]
    encoding["score"] = scores.reindex(pd.MultiIndex.from_frame(encoding[keys])).to_numpy()
    encoding["ceiling"] = 0.45
    encoding["score_normalized"] = encoding["score"] / encoding["ceiling"]
    encoding["score_sd"] = np.where(encoding["layer"] == 0, 0.0, 0.03)
    encoding.loc[encoding["layer"] == 0, "score"] = 0.0
    for name, share in (("rsa", 0.5), ("trsa", 0.4), ("cka", 0.8)):
        average = encoding["participant"] == "average"
        encoding[name] = (encoding["score"] * share).where(average)

    tokens = table("tokens_summary", **sweep)
    tokens["parameters"] = tokens["model"].map(PARAMETERS).astype(int)
    time = np.log10(tokens["step"] + 1)
    tokens["surprisal"] = 4 + 6 / (1 + np.exp((time - 2) / 0.4))

    modules = table("modules", **sweep, layer=tuple(range(1, 25)))
    share = modules["layer"] / modules["model"].map(BLOCKS)
    modules["module"] = np.select(
        [modules["step"] < 64, share > 0.75, share > 0.4], ["all", "low", "middle1"], "high"
    )
    late = np.log10(modules["step"] + 1) / 6
    modules["silhouette"], modules["null_p"] = 0.2 + late * 0.6, 0.4 - late * 0.4
    jumps = table("change_points", model=tuple(BLOCKS), over=("depth", "training"))
    jumps["step"] = np.where(jumps["over"] == "depth", 1000, 128)
    jumps["layer"] = 4

    contrast = table("low_high", **sweep, region=REGIONS)
    late = np.log10(contrast["step"] + 1) / 6
    contrast["low_minus_high"] = np.where(contrast["step"] < 64, np.nan, 0.1 * late)
    contrast["low"], contrast["high"] = (contrast["low_minus_high"] + d for d in (-0.04, 0.04))

    emergence = table("emergence", model=tuple(BLOCKS), region=REGIONS)
    emergence["t50"] = 2.5 + 0.1 * np.arange(len(emergence)) % 0.8
    emergence["low"], emergence["high"] = emergence["t50"] - 0.2, emergence["t50"] + 0.2
    emergence["t50_step"] = 10 ** emergence["t50"] - 1
    emergence["censored"], emergence["censoring"] = False, "no"

    baselines = table(
        "baselines",
        **deep,
        region=REGIONS,
        participant=("average",),
        baseline=("length", "position", "untrained"),
    )
    score = rising(baselines)
    baselines["score_layer"], baselines["score_baseline"] = 0.2 * score, 0.05
    baselines["unique_r2"] = 0.03 * score - 0.005

    ceiling = table("ceiling", region=REGIONS, participant=people)
    ceiling["ceiling"], ceiling["low"], ceiling["high"] = 0.45, 0.4, 0.5
    ceiling["n_participants"] = 5

    population = _pairs(table("population", **deep, pair=SETS))
    population["value"] = 5 + 20 * rising(population)
    depths = table("depth_similarity", **deep, other=tuple(range(25)))
    depths = depths[depths["other"] <= depths["model"].map(BLOCKS)]
    depths["cka_debiased"] = np.exp(-np.abs(depths["layer"] - depths["other"]) / 6)

    speed = table("speed", **deep, next=STEPS[1:], measure=MEASURES)
    following = dict(pairwise(STEPS))
    kept = (speed["next"] == speed["step"].map(following)) | (speed["next"] == STEPS[-1])
    speed = speed[kept & (speed["next"] > speed["step"])].reset_index(drop=True)
    speed["value"] = 0.3 + 0.3 * rising(speed)
    speed["speed"] = speed["value"]

    lens = table("lens", **deep)
    left = 1 - lens["layer"] / lens["model"].map(BLOCKS)  # of the depth
    lens["surprisal"] = 4 + 6 * left + 6 / (1 + np.exp((np.log10(lens["step"] + 1) - 2) / 0.4))
    lens["kl"], lens["top1"] = 5.0 * left, 1.0 - left
    lens = lens.astype(dict.fromkeys(("surprisal", "kl", "top1"), float))

    likeness = table(
        "alignment",
        **deep,
        region=REGIONS,
        participant=("average",),
        of=("mean", "voxels"),
        measure=("rsa", "trsa", "cka", "procrustes"),
    )
    likeness["value"] = 0.2 * rising(likeness)

    alpha = population[population["metric"] == "rankme"]
    alpha = alpha.assign(metric="alpha_req", variant="alpha", value=2 - alpha["value"] / 50)
    population = pd.concat([population, alpha], ignore_index=True)
    turns = ((0.0, 16.0), (16.0, 4000.0), (4000.0, 143000.0))
    phases = table("phases", model=tuple(BLOCKS), layer=tuple(range(25)), phase=tuple(PHASES))
    phases = phases[phases["layer"] <= phases["model"].map(BLOCKS)].assign(found=True)
    for column, at in (("start", 0), ("stop", 1)):
        phases[column] = [turns[PHASES.index(name)][at] for name in phases["phase"]]
    phases["stop_low"] = (phases["stop"] / 2).where(phases["stop"] < STEPS[-1])
    phases["stop_high"] = (phases["stop"] * 2).where(phases["stop"] < STEPS[-1])

    walk = table("depth", **deep, measure=("turning", "to_last", "straightness", "stable_rank"))
    walk["value"], walk["null"] = 0.4 * rising(walk), 0.2
    cuts = table("blocks", **sweep, blocks=(2, 3, 4))
    cuts["starts"] = ["3" if n == 2 else "3,5" if n == 3 else "2,3,5" for n in cuts["blocks"]]
    order = table("hierarchy", **sweep, quantity=("best_layer", "mean_layer"))
    order["rho"] = np.clip(np.log10(order["step"] + 1) / 6, -1, 1)
    order["p"] = np.where(order["step"] > 1000, 0.02, 0.4)

    known = table("competence", **sweep, task=tuple(TASKS))
    known["family"] = known["task"].map(TASKS)
    late = known["family"] == "functional"
    gain = 1 / (1 + np.exp((np.where(late, 4, 3) - np.log10(known["step"] + 1)) / 0.4))
    known["chance"] = np.where(late, 0.25, 0.5)
    known["score"] = known["chance"] + (0.95 - known["chance"]) * gain
    known["se"], known["ceiling"] = 0.02, 1.0
    lag = table("competence_lags", model=(*BLOCKS, "all"), region=REGIONS, family=FAMILIES)
    lag["lag"] = np.where(lag["family"] == "formal", 0.1, -0.6)
    lag["low"], lag["high"] = lag["lag"] - 0.3, lag["lag"] + 0.3
    drawn = table("controls", control=CONTROLS, draw=tuple(range(20)), claim=(1, 2, 3, 4))
    drawn["verdict"] = np.where(drawn["draw"] < 12, "supported", "undecided")

    earlier = table("contrasts", contrast=("temporal first", "posterior first", "orbital last"))
    earlier["first"], earlier["later"] = "AntTemp,PostTemp", "IFGorb,IFG,MFG"
    earlier["estimate"], earlier["verdict"] = [-0.4, -0.1, 0.1], "undecided"
    earlier["low"], earlier["high"] = earlier["estimate"] - 0.3, earlier["estimate"] + 0.3

    seconds = {"region": REGIONS, "participant": people, "lag": tuple(range(-10, 11))}
    heard = table("lags", **seconds)
    heard["seconds"] = 2.0 * heard["lag"]
    heard["r"] = 0.3 * np.exp(-(((heard["seconds"] - 5) / 4) ** 2))
    checked = table("lag_check", region=REGIONS, participant=people)
    checked["peak"], checked["threshold"], checked["verdict"] = 5.0, 0.1, "plausible"
    answer = heard[heard["lag"] >= 0]
    impulse = answer.assign(weight=answer["r"], planted=answer["r"] * 1.1).drop(columns="r")
    shuffled = table("shuffling", model=(*BLOCKS, "time"), layer=tuple(range(25)), region=REGIONS)
    deepest = shuffled["model"].map({**BLOCKS, "time": 0})
    shuffled = shuffled[shuffled["layer"] <= deepest].assign(step=STEPS[-1])
    shuffled["shuffled"] = shuffled["stories"] + 0.3

    facts = table("recovery", fact=FACTS, where=REGIONS)
    facts["planted"] = rng.uniform(0.2, 0.8, len(facts))
    facts["recovered"] = facts["planted"] + rng.normal(0, 0.05, len(facts))
    facts["low"], facts["high"] = facts["recovered"] - 0.1, facts["recovered"] + 0.1
    facts["agrees"] = pd.array(abs(facts["recovered"] - facts["planted"]) < 0.05, dtype="boolean")

    correlations = table("correlations", model=(*BLOCKS, "all"), region=REGIONS)
    correlations = correlations.assign(predictor="curvature", method="pearson", r=-0.4)
    correlations["layer"] = pd.array([pd.NA] * len(correlations), dtype="Int64")

    curve = table(
        "specification_curve",
        quantity=("low − high module", "partial r of curvature", "partial r of entropy"),
        entropy=VARIANTS["entropy"],
        curvature=VARIANTS["curvature"],
    )
    for metric in ("entropy", "curvature"):  # which takes no variant of the other
        own = curve["quantity"] == f"partial r of {metric}"
        other = "curvature" if metric == "entropy" else "entropy"
        curve.loc[own, other] = ""
    curve = curve.drop_duplicates(["quantity", "entropy", "curvature"]).reset_index(drop=True)
    curve["estimate"] = rng.normal(0, 0.1, len(curve))
    curve["low"], curve["high"] = curve["estimate"] - 0.1, curve["estimate"] + 0.1
    curve["verdict"] = np.where(curve["low"] > 0, "supported", "undecided")
    curve["headline"] = curve["entropy"].isin(["raw", ""]) & curve["curvature"].isin(
        ["hosseini", ""]
    )
    curve["rank"] = curve.groupby("quantity")["estimate"].rank().astype("Int64")
    return {
        "tokens": tokens,
        "geometry": geometry,
        "modules": modules,
        "change_points": jumps,
        "low_high": contrast,
        "correlations": correlations,
        "encoding": encoding,
        "emergence": emergence,
        "baselines": baselines,
        "ceiling": ceiling,
        "population": population,
        "depth_similarity": depths,
        "specification_curve": curve,
        "speed": speed,
        "competence": known,
        "contrasts": earlier,
        "competence_lags": lag,
        "controls": drawn,
        "lags": heard,
        "lag_check": checked,
        "impulse": impulse,
        "shuffling": shuffled,
        "lens": lens,
        "alignment": likeness,
        "phases": phases,
        "depth": walk,
        "blocks": cuts,
        "hierarchy": order,
        "recovery": facts,
    }


def _pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """Metric and variant from the axis `pair`."""
    rows[["metric", "variant"]] = rows["pair"].tolist()
    return rows.drop(columns="pair")


def paper_claims(
    datasets: tuple[str, ...] = ("tuckute2024",), models: tuple[str, ...] = tuple(BLOCKS)
) -> list[dict[str, Any]]:
    """An entry a claim and dataset, as in claims.json; the last claim cannot be answered."""
    estimates = (0.15, 0.06, -0.5, -0.4, None)
    verdicts = ("undecided", "supported", "supported", "not supported", "undecided")
    return [
        {
            "dataset": dataset,
            "claim": claim.number,
            "name": claim.name,
            "statement": claim.statement,
            "estimate": estimate,
            "unit": claim.unit,
            "interval": None if estimate is None else [estimate - 0.2, estimate + 0.2],
            "paper_direction": "positive" if claim.direction > 0 else "negative",
            "test": claim.test,
            "p": None if estimate is None else 0.03,
            "q": None if estimate is None else 0.05,
            "calibrated_level": None,
            "verdict": verdict,
            "why": "the interval includes zero" if estimate else "a trend needs three sizes",
            "planted": None,
            "recovered": None,
            "smallest": claim.smallest,
            "details": {
                "models": [
                    {"model": model, "partial_r": -0.1 * place, "se_z": 0.1}
                    for place, model in enumerate(models)
                ]
            },
        }
        for dataset in datasets
        for claim, estimate, verdict in zip(CLAIMS[:5], estimates, verdicts, strict=True)
    ]
