"""All that was measured as one long table, from which any view of the explorer is cut.

A series is one measure (its variant, its region) of a model on a dataset, over steps and layers.
A kind of table that is to be explored is one function here and a line in `SOURCES`.
"""

from collections.abc import Callable, Mapping

import pandas as pd

from geomod.report.drawing import of_average, varying
from geomod.report.gallery import Tables
from geomod.report.plates.language import of_family
from geomod.report.words import measure

KEYS = ["dataset", "model", "measure", "variant", "region"]
COLUMNS = [*KEYS, "step", "layer", "value", "half", "n", "chance"]
WHOLE = -1  # in the place of a layer: the model as a whole

# What the half-width of a band is, by the table that a measure comes from.
BANDS = {
    "encoding": "± SD over the held-out parts of the data",
    "geometry": "95 % interval of the mean over sentences",
    "competence": "95 % interval over items",
}


def all_series(tables: Tables, dataset: str) -> pd.DataFrame:
    """The columns `COLUMNS` and `source`; values in the units that people read.

    `dataset` names the data of tables that have no such column. `half` is half of a band's width
    (see `BANDS`), NaN where there is none; `n` what a value rests on; `chance` what guessing gives,
    where that is known. What is said of no dataset has an empty one.
    """
    found = [
        read(with_dataset(tables[name], dataset)).assign(source=name)
        for name, read in SOURCES.items()
        if name in tables and len(tables[name])
    ]
    if not found:
        return pd.DataFrame(columns=[*COLUMNS, "source"])
    rows = pd.concat(
        [table.reindex(columns=[*COLUMNS, "source"]) for table in found], ignore_index=True
    )
    rows = rows.astype({"value": float, "half": float, "n": float, "chance": float})
    factors = {name: measure(name).factor for name in rows["measure"].unique()}
    factor = rows["measure"].map(factors).astype(float)
    return rows.assign(value=rows["value"] * factor, half=rows["half"] * factor)


def with_dataset(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """The table with a column `dataset`, as it has it or as it would have."""
    return table if "dataset" in table else table.assign(dataset=dataset)


def _geometry(table: pd.DataFrame) -> pd.DataFrame:
    half = 1.96 * table["sd"] / table["n"] ** 0.5
    named = table.rename(columns={"metric": "measure", "mean": "value"})
    return named.assign(half=half, region="")


def _encoding(table: pd.DataFrame) -> pd.DataFrame:
    """Scores of the average participant; n is the number of participants."""
    people = table.loc[table["participant"] != "average"]
    count = people.groupby("dataset")["participant"].nunique()
    scores = varying(of_average(table))
    scores = scores.assign(n=scores["dataset"].map(count).fillna(1).astype(int))
    scores["score_normalized"] = scores["score_normalized"].mask(scores["score"].isna())
    half = {"score": scores["score_sd"], "score_normalized": scores["score_sd"] / scores["ceiling"]}
    parts = [
        scores.assign(
            measure=name, variant="", value=scores[name], half=half.get(name, float("nan"))
        )
        for name in ("score", "score_normalized", "rsa", "trsa", "cka")
        if name in scores and scores[name].notna().any()
    ]
    return pd.concat(parts)


def _population(table: pd.DataFrame) -> pd.DataFrame:
    named = table.rename(columns={"metric": "measure"})
    return named.assign(half=float("nan"), region="")


def _speed(table: pd.DataFrame) -> pd.DataFrame:
    """Each step beside the next, and beside the last."""
    by = ["dataset", "model"]
    last = table["next"] == table.groupby(by)["next"].transform("max")
    following = table["next"] == table.groupby([*by, "step"])["next"].transform("min")
    pairs = pd.concat([table[following].assign(pair="change"), table[last].assign(pair="likeness")])
    named = pairs.rename(columns={"measure": "variant", "pair": "measure"})
    return named.assign(half=float("nan"), region="")


def _tokens(table: pd.DataFrame) -> pd.DataFrame:
    parts = [
        table.assign(measure=name, value=table[name])
        for name in ("surprisal", "predictive_entropy")
    ]
    whole = pd.concat(parts).dropna(subset="value")
    return whole.assign(layer=WHOLE, variant="", region="", half=float("nan"), n=float("nan"))


def _lens(table: pd.DataFrame) -> pd.DataFrame:
    parts = [
        table.assign(measure=f"lens_{name}", value=table[name])
        for name in ("surprisal", "entropy", "kl", "top1")
    ]
    return pd.concat(parts).assign(variant="", region="", half=float("nan"))


def _alignment(table: pd.DataFrame) -> pd.DataFrame:
    """Of the participants' average where there is one, else the mean over participants."""
    by = ["dataset", "model", "step", "layer", "region", "of", "measure"]
    average = table["participant"] == "average"
    table = table[average | ~average.groupby([table[name] for name in by]).transform("any")]
    means = table.groupby(by, sort=False).agg(value=("value", "mean"), n=("n", "max"))
    return means.reset_index().rename(columns={"of": "variant"}).assign(half=float("nan"))


def _competence(table: pd.DataFrame) -> pd.DataFrame:
    """Of each family the mean over its tasks, and each task."""
    tasks = table.assign(region=table["task"], half=1.96 * table["se"])
    means = pd.concat(
        of_family(rows)
        .assign(model=model, family=family, region="all tasks", n=rows.groupby("step").size())
        .reset_index()
        for (model, family), rows in table.groupby(["model", "family"], sort=False)
    )
    both = pd.concat([means.assign(half=1.96 * means["se"]), tasks], ignore_index=True)
    named = both.rename(columns={"family": "variant", "score": "value"})
    return named.assign(dataset="", measure="task_score", layer=WHOLE)


SOURCES: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "encoding": _encoding,
    "geometry": _geometry,
    "population": _population,
    "speed": _speed,
    "tokens": _tokens,
    "lens": _lens,
    "alignment": _alignment,
    "competence": _competence,
}
