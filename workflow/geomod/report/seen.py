"""What is seen in the figures of a run: a sentence or two each, made from what is drawn."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from geomod.report.drawing import NETWORK, network_score, of_average, short, varying
from geomod.report.gallery import GALLERY, Tables
from geomod.report.plates.brain import by_region
from geomod.report.plates.language import of_family
from geomod.report.plates.link import effects_by_size


def seen(name: str, tables: Tables) -> str:
    """What the figure called `name` shows of these tables; empty where it is left out."""
    return "" if GALLERY[name].lacking(tables) else " ".join(SEEN[name](tables).split())


def _number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}".replace("-", "−")


def _each(words: Mapping[str, str]) -> str:
    return "; ".join(f"{name} {said}" for name, said in words.items())


def _last(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["step"] == rows["step"].max()]


def _models(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Each model's rows, in their order."""
    return {str(name): rows for name, rows in table.groupby("model", sort=False)}


def _forest(tables: Tables) -> str:
    table = tables["every_claim"]
    verdicts = table["verdict"].value_counts()
    told = ", ".join(f"{count} {word}" for word, count in verdicts.items())
    return f"Of {len(table)} answers: {told}."


def _learning(tables: Tables) -> str:
    def change(rows: pd.DataFrame) -> str:
        first, last = rows.sort_values("step")["surprisal"].iloc[[0, -1]]
        return f"from {_number(first)} to {_number(last)}"

    known = tables["tokens"].dropna(subset="surprisal")  # a model may not predict tokens
    words = {name: change(rows) for name, rows in _models(known).items()}
    return f"Surprisal over training, nats a token: {_each(words)}."


def _geometry(tables: Tables) -> str:
    table = tables["geometry"]

    def range_of(metric: str, factor: float, unit: str) -> str:
        own = table[table["metric"] == metric]
        rows = own[own["variant"] == own["variant"].iloc[0]].dropna(subset="mean")
        if rows.empty:
            return f"{metric} is defined nowhere"
        *_, (model, rows) = _models(rows).items()
        rows = _last(rows)
        low, high = (rows.loc[f()] for f in (rows["mean"].idxmin, rows["mean"].idxmax))
        return (
            f"{metric} of {model} at step {short(rows['step'].iloc[0])} goes from "
            f"{_number(low['mean'] * factor)} (layer {low['layer']}) to "
            f"{_number(high['mean'] * factor)}{unit} (layer {high['layer']})"
        )

    known = {"entropy": (1.0, " nats"), "curvature": (180 / np.pi, "°")}
    told = [range_of(m, *how) for m, how in known.items() if (table["metric"] == m).any()]
    n = int(table["n"].median())
    text = "; ".join(told)
    return f"{text[0].upper()}{text[1:]}. n = {n} sentences a value." if told else ""


def _modules(tables: Tables) -> str:
    def count(rows: pd.DataFrame) -> str:
        steps = rows.drop_duplicates("step")
        clear = int((steps["null_p"] < 0.05).sum())
        number = _last(rows)["module"].nunique()
        return f"{number} at the last step, clear at {clear} of {len(steps)} steps"

    words = {name: count(rows) for name, rows in _models(tables["modules"]).items()}
    return f"Modules: {_each(words)}."


def _best(rows: pd.DataFrame) -> pd.Series:
    return rows.loc[rows["score"].idxmax()]


def _encoding(tables: Tables) -> str:
    table = network_score(varying(tables["encoding"])).dropna(subset="score")
    best = {name: _best(rows) for name, rows in _models(table).items()}
    words = {
        name: f"{_number(b['score'], 3)} in layer {b['layer']} at step {short(b['step'])}"
        for name, b in best.items()
    }
    return f"Highest score: {_each(words)}."


def _profiles(tables: Tables) -> str:
    table = varying(of_average(tables["encoding"])).dropna(subset="score")
    best = {name: _best(_last(rows)) for name, rows in _models(table).items()}
    words = {
        name: f"{b['region']} in layer {b['layer']} (r = {_number(b['score'], 3)})"
        for name, b in best.items()
    }
    return f"Highest at the last step: {_each(words)}. Bands: ± SD over outer folds."


def _low_high(tables: Tables) -> str:
    def ahead(rows: pd.DataFrame) -> str:
        rows = rows.dropna(subset="low_minus_high")
        return f"in {(rows['low_minus_high'] > 0).mean():.0%} of {len(rows)} steps and regions"

    table = tables["low_high"].dropna(subset="low_minus_high")
    words = {name: ahead(rows) for name, rows in _models(table).items()}
    return f"The module of low complexity is ahead: {_each(words)}."


def _emergence(tables: Tables) -> str:
    table = tables["emergence"]
    known = table[np.isfinite(table["t50"]) & ~table["censored"].astype(bool)]
    if known.empty:
        return "No half-time could be read. Bands: ± SD over outer folds, mean over blocks."

    def order(rows: pd.DataFrame) -> str:
        first, last = (rows.loc[f()] for f in (rows["t50"].idxmin, rows["t50"].idxmax))
        steps = (short(round(end["t50_step"])) for end in (first, last))
        return "from {} (step {}) to {} (step {})".format(
            first["region"], next(steps), last["region"], next(steps)
        )

    words = {name: order(rows) for name, rows in _models(known).items()}
    return (
        f"{len(known)} of {len(table)} half-times could be read: {_each(words)}. "
        "Bands of the curves: ± SD over outer folds, mean over blocks."
    )


def _brain(tables: Tables) -> str:
    found = by_region(tables)
    best = found["score"].idxmax()
    told = f"{best} has the highest score (r = {_number(found['score'].max(), 3)})."
    times = found["t50"].dropna()
    if len(times) > 1:
        steps = {region: short(round(10**time - 1)) for region, time in times.items()}
        ends = [f"{region} (step {steps[region]})" for region in (times.idxmin(), times.idxmax())]
        told = f"{ends[0]} rises first, {ends[1]} last; {told}"
    return told


def _ceilings(tables: Tables) -> str:
    scores = of_average(tables["encoding"])
    best = scores[scores["layer"] > 0].groupby("region")["score"].max()
    ceiling = tables["ceiling"]
    ceiling = ceiling[ceiling["participant"] == "average"].set_index("region")["ceiling"]
    share = (best / ceiling[ceiling > 0]).dropna()
    if share.empty:
        return "No region has a ceiling above 0."
    return (
        f"Best scores reach {share.min():.0%} ({share.idxmin()}) to {share.max():.0%} "
        f"({share.idxmax()}) of the ceiling."
    )


def _coupling(tables: Tables) -> str:
    table = network_score(tables["encoding"])
    n = {name: int((rows["layer"] > 0).sum()) for name, rows in _models(table).items()}
    return f"Points: {_each({name: str(count) for name, count in n.items()})}."


def _scale(tables: Tables) -> str:
    effects, trend = effects_by_size(tables)
    told = f"z goes from {_number(effects['z'].iloc[0])} ({effects['model'].iloc[0]}) to "
    told += f"{_number(effects['z'].iloc[-1])} ({effects['model'].iloc[-1]}). "
    if trend is None:
        return told + "Too few sizes for a trend with an interval."
    ends = ", ".join(_number(trend[name]) for name in ("low", "high"))
    return told + f"It changes by {_number(-trend['estimate'])} per tenfold size [{ends}]."


def _baselines(tables: Tables) -> str:
    table = tables["baselines"]
    network = table["region"] == NETWORK
    table = table[(table["layer"] > 0) & (network | (not network.any()))]

    def beyond(rows: pd.DataFrame) -> str:
        unique = _last(rows).groupby("baseline", sort=False)["unique_r2"].mean()
        return ", ".join(f"{_number(value, 3)} beyond {name}" for name, value in unique.items())

    words = {name: beyond(rows) for name, rows in _models(table).items()}
    return f"R² that layers add at the last step: {_each(words)}."


def _multiverse(tables: Tables) -> str:
    table = tables["specification_curve"]
    told = []
    for quantity, rows in table.groupby("quantity", sort=False):
        headline = rows.loc[rows["headline"], "verdict"]
        if len(headline) and rows["estimate"].notna().any():
            same = int((rows["verdict"] == headline.iloc[0]).sum())
            told.append(f"{quantity}: {same} of {len(rows)} choices give “{headline.iloc[0]}”")
    return f"{'; '.join(told)}."


def _sets(tables: Tables) -> str:
    table = tables["population"]
    rows = table[(table["metric"] == "rankme") & (table["variant"] == "eigenvalues")]
    rows = rows.dropna(subset="value")
    if rows.empty:
        return ""

    def fill(rows: pd.DataFrame) -> str:
        rows = _last(rows)
        most = rows.loc[rows["value"].idxmax()]
        return f"{_number(most['value'], 1)} in layer {most['layer']}"

    words = {name: fill(own) for name, own in _models(rows).items()}
    return f"Most dimensions at the last step (RankMe): {_each(words)}."


def _speed(tables: Tables) -> str:
    table = tables["speed"]
    following = table.groupby(["model", "step"])["next"].transform("min")
    turns = table[(table["next"] == following) & (table["measure"] == "cka_debiased")]
    mean = turns.groupby(["model", "layer"], sort=False)["speed"].mean().dropna().reset_index()
    words = {}
    for name, rows in _models(mean).items():
        fast, slow = (rows.loc[f()] for f in (rows["speed"].idxmax, rows["speed"].idxmin))
        words[name] = (
            f"layer {fast['layer']} ({_number(fast['speed'])}), slowest layer {slow['layer']} "
            f"({_number(slow['speed'])})"
        )
    return f"Fastest, in radians a decade, mean over training: {_each(words)}."


def _last_layer(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["layer"] == rows["layer"].max()]


def _alignment(tables: Tables) -> str:
    table = tables["alignment"]
    means = table.groupby(["measure", "of", "layer", "model", "step"], sort=False)["value"].mean()
    best = means.groupby(["measure", "of"], sort=False).max()
    told = ", ".join(f"{m} ({of}) {_number(v)}" for (m, of), v in best.items())
    return f"Highest mean over regions: {told}."


def _phases(tables: Tables) -> str:
    def found(rows: pd.DataFrame) -> str:
        rows = _last_layer(rows)
        names = [
            f"{row.phase} (steps {short(row.start)} to {short(row.stop)})"
            for row in rows[rows["found"].astype(bool)].itertuples()
        ]
        return ", ".join(names) or "none"

    words = {name: found(rows) for name, rows in _models(tables["phases"]).items()}
    return f"Phases found in the last layer: {_each(words)}."


def _lens(tables: Tables) -> str:
    def range_of(rows: pd.DataFrame) -> str:
        rows = _last(rows).sort_values("layer")
        first, last = rows["surprisal"].iloc[[0, -1]]
        return f"{_number(first)} at layer {rows['layer'].iloc[0]}, {_number(last)} at the output"

    words = {name: range_of(rows) for name, rows in _models(tables["lens"]).items()}
    return f"Surprisal at the last step, nats a token: {_each(words)}."


def _depth(tables: Tables) -> str:
    def straight(rows: pd.DataFrame) -> str:
        rows = _last_layer(_last(rows[rows["measure"] == "straightness"]).dropna(subset="value"))
        if rows.empty:
            return "is not known"
        return f"{_number(rows['value'].iloc[0])} (walk {_number(rows['null'].iloc[0])})"

    words = {name: straight(rows) for name, rows in _models(tables["depth"]).items()}
    return f"Straightness of the whole way: {_each(words)}."


def _blocks(tables: Tables) -> str:
    def clear(rows: pd.DataFrame) -> str:
        rows = _last(rows)
        beyond = rows[(rows["smooth_p"] <= 0.05) & (rows["walk_p"] <= 0.05)]
        return ", ".join(f"{count} blocks" for count in beyond["blocks"]) or "none"

    words = {name: clear(rows) for name, rows in _models(tables["blocks"]).items()}
    return f"Clearer than both nulls at the last step: {_each(words)}."


def _hierarchy(tables: Tables) -> str:
    table = tables["hierarchy"].dropna(subset="rho")
    table = table[table["quantity"] == "best_layer"]

    def score(rows: pd.DataFrame) -> str:
        row = _last(rows).iloc[0]
        return f"{_number(row['rho'])} (p {_number(row['p'])}, {row['n']} regions)"

    words = {name: score(rows) for name, rows in _models(table).items()}
    return f"Spatial score of the best layers at the last step: {_each(words)}."


def _controls(tables: Tables) -> str:
    table = tables["controls"]
    found = table.assign(found=table["verdict"] == "supported").groupby("claim")
    words = {
        f"claim {claim}": ", ".join(
            f"{kind} {int(each.sum())} of {len(each)}"
            for kind, each in rows.groupby("control", sort=False)["found"]
        )
        for claim, rows in found
    }
    return f"Draws in which the claim is supported: {_each(words)}."


def _competence(tables: Tables) -> str:
    table = tables["competence"]

    def course(rows: pd.DataFrame) -> str:
        told = []
        for family, own in rows.groupby("family", sort=False):
            mean = of_family(own)
            first, last = (_number(mean["score"].iloc[at]) for at in (0, -1))
            told.append(
                f"{family} from {first} to {last} (chance {_number(mean['chance'].mean())})"
            )
        return ", ".join(told)

    words = {name: course(rows) for name, rows in _models(table).items()}
    tasks = table.drop_duplicates(["family", "task"]).groupby("family", sort=False).size()
    count = ", ".join(f"{family} {n}" for family, n in tasks.items())
    return f"Mean score over training: {_each(words)}. Tasks: {count}."


def _contrasts(tables: Tables) -> str:
    rows = tables["contrasts"].dropna(subset="estimate")
    told = "; ".join(
        f"{row.first} before {row.later}: {_number(row.estimate)} decades "
        f"[{_number(row.low)}, {_number(row.high)}], {row.verdict} (q {_number(row.q, 3)})"
        for row in rows.itertuples()
    )
    return f"{told}."


def _lags(tables: Tables) -> str:
    verdicts = tables["lag_check"]
    average = verdicts[verdicts["participant"] == "average"]
    rows = verdicts if average.empty else average
    told = ", ".join(
        f"{row.region} {row.verdict}"
        + (f" (peak {_number(row.peak, 1)} s)" if row.verdict != "silent" else "")
        for row in rows.drop_duplicates("region").itertuples()
    )
    return f"{told}."


def _in_time(tables: Tables) -> str:
    """What the layers score, what shuffled TRs would claim, and what time alone would."""
    table = tables["shuffling"]
    best = table.groupby([table["model"] == "time", "region"], sort=False)[["stories", "shuffled"]]
    told = []
    for (alone, region), row in best.max().iterrows():
        who = "time alone" if alone else "the best layer"
        told.append(
            f"{region}: {who} scores {_number(row['stories'])} with stories left out, and shuffled "
            f"TRs would claim {_number(row['shuffled'])}"
        )
    return f"{'; '.join(told)}."


def _competence_lags(tables: Tables) -> str:
    table = tables["competence_lags"]
    means = table[table["model"] == "all"].dropna(subset=["low", "high"])
    apart = means[(means["low"] > 0) | (means["high"] < 0)]
    words = [
        f"{row.region} {_number(abs(row.lag))} {'after' if row.lag > 0 else 'before'} {row.family}"
        for row in apart.itertuples()
    ]
    return f"Apart by more than their interval, in decades: {', '.join(words) or 'none'}."


def _planted(tables: Tables) -> str:
    agrees = tables["recovery"]["agrees"].astype("boolean").dropna()
    return f"{int(agrees.sum())} of {len(agrees)} facts that can be judged came back."


SEEN: Mapping[str, Callable[[Tables], str]] = {
    "forest": _forest,
    "learning": _learning,
    "geometry": _geometry,
    "modules": _modules,
    "encoding": _encoding,
    "profiles": _profiles,
    "low_high": _low_high,
    "emergence": _emergence,
    "brain": _brain,
    "ceilings": _ceilings,
    "coupling": _coupling,
    "scale": _scale,
    "baselines": _baselines,
    "multiverse": _multiverse,
    "sets": _sets,
    "speed": _speed,
    "alignment": _alignment,
    "phases": _phases,
    "lens": _lens,
    "depth": _depth,
    "blocks": _blocks,
    "hierarchy": _hierarchy,
    "competence": _competence,
    "contrasts": _contrasts,
    "lags": _lags,
    "in_time": _in_time,
    "competence_lags": _competence_lags,
    "planted": _planted,
    "controls": _controls,
}
