"""Competence as a share of its known range: 0 at chance, 1 at the ceiling.

Tasks of one family are averaged after that, not before: a suite whose chance is .28 and one whose
chance is .5 are no nearer to each other for having the same score.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.base.errors import InputError
from geomod.curves.curves import FORMAL, FUNCTIONAL, LOSS

Array = NDArray[np.float64]

PLACE = ["model", "step"]
ASKED = [*PLACE, "task", "item_id", "score"]  # what is needed of items to draw them anew


def families(competence: pd.DataFrame, tokens: pd.DataFrame | None = None) -> pd.DataFrame:
    """Columns model, step and one a family: mean over tasks of (score − chance)/(ceiling − chance).

    A family's tasks are those that all of its models have, and its steps those at which all of
    them were scored, so that no curve moves because a task came or went. A task without a ceiling
    cannot be averaged with others: it counts only in a family none of whose tasks has one
    (`of_own_range`), as its score above chance, and never as formal or functional. A task that is
    at the floor (column `floor`) in most models tells nothing of when they learn. With `tokens`
    (model, step, surprisal, vocabulary) the share of the loss joins as `loss`, and models that are
    not in it are none of this run.
    """
    if tokens is not None:
        competence = competence[competence["model"].isin(tokens["model"])]
    rows = off_the_floor(competence)
    rows = rows.assign(share=share_of_range(rows))
    bare = {FORMAL, FUNCTIONAL} & set(of_own_range(competence))
    tables = [
        _tasks(group).mean(axis=1).rename(str(family))
        for family, group in rows.groupby("family", sort=True)
        if family not in bare
    ]
    if tokens is not None:
        tables.append(share_of_loss(tokens))
    if not tables:
        return pd.DataFrame(columns=PLACE)
    return pd.concat(tables, axis=1).rename_axis(PLACE).reset_index()


def off_the_floor(competence: pd.DataFrame) -> pd.DataFrame:
    """The rows of tasks that are at the floor in half of the models at most."""
    if "floor" not in competence:
        return competence
    by_model = competence.groupby(["task", "model"])["floor"].first()
    lost = by_model.groupby("task").mean() > 0.5
    return competence[~competence["task"].isin(lost.index[lost])]


def share_of_range(competence: pd.DataFrame) -> pd.Series:
    """(score − chance)/(ceiling − chance) of each row; score − chance where no ceiling is known."""
    scores, chance, ceiling = (competence[name] for name in ("score", "chance", "ceiling"))
    wrong = competence[(ceiling <= chance) | chance.isna() | scores.isna()]
    if not wrong.empty:
        row = wrong.iloc[0]
        raise InputError(
            f"competence, row {wrong.index[0]}: task {row['task']!r} of {row['model']}, step "
            f"{row['step']}, has score {row['score']}, chance {row['chance']} and ceiling "
            f"{row['ceiling']}. A score and its chance are numbers, and a ceiling is above it."
        )
    return (scores - chance) / (ceiling - chance).fillna(1.0)


def of_own_range(competence: pd.DataFrame) -> tuple[str, ...]:
    """Families none of whose tasks has a ceiling, such as reading times."""
    known = competence.groupby("family")["ceiling"].count()
    return tuple(sorted(str(family) for family in known.index[known == 0]))


def _tasks(rows: pd.DataFrame) -> pd.DataFrame:
    """Shares of a family's tasks [model and step, task], without gaps."""
    known = rows[rows["ceiling"].notna()]
    rows = rows if known.empty else known
    models = rows.groupby("task")["model"].nunique()
    shared = models.index[models == rows["model"].nunique()]
    table = rows[rows["task"].isin(shared)].pivot_table(index=PLACE, columns="task", values="share")
    return table.dropna()


def share_of_loss(tokens: pd.DataFrame) -> pd.Series:
    """How far the loss has come from a uniform guess to the lowest of the run, [model, step].

    (ln V − loss)/(ln V − least loss of any model), V the size of the vocabulary. It is no
    competence in anything: what grammar explains better than the loss does is about grammar.
    """
    loss = tokens.set_index(PLACE)["surprisal"].sort_index()
    uniform = np.log(tokens.set_index(PLACE)["vocabulary"].sort_index().astype(float))
    return ((uniform - loss) / (uniform - loss.min())).rename(LOSS)


def retaken(
    items: pd.DataFrame, competence: pd.DataFrame, draws: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Columns model, step, family, draw, share: the curves, had other items been drawn.

    `items` (model, step, task, item_id, score) has a row an item and checkpoint. A draw weighs a
    task's items anew, alike in all models and at all steps: they are the same items, and their luck
    moves all curves at once. A task without items is taken as it is.
    """
    luck = {str(task): _luck(own, draws, rng) for task, own in items.groupby("task", sort=True)}
    drawn = []
    rows = off_the_floor(competence[competence["model"].isin(items["model"])])
    rows = rows.assign(share=share_of_range(rows))
    width = (rows["ceiling"] - rows["chance"]).fillna(1.0).groupby(rows["task"]).first()
    for family, group in rows.groupby("family", sort=True):
        shares = _tasks(group)
        moved = np.zeros((draws, len(shares)))
        for task in shares.columns.intersection(list(luck)):
            change = luck[task].reindex(columns=shares.index, fill_value=0.0)
            moved += change.to_numpy() / width[task] / len(shares.columns)
        again = pd.DataFrame(shares.mean(axis=1).to_numpy() + moved, columns=shares.index)
        long = again.melt(ignore_index=False, value_name="share").rename_axis("draw")
        drawn.append(long.reset_index().assign(family=str(family)))
    columns = [*PLACE, "family", "draw", "share"]
    return pd.concat(drawn)[columns] if drawn else pd.DataFrame(columns=columns)


def _luck(items: pd.DataFrame, draws: int, rng: np.random.Generator) -> pd.DataFrame:
    """A task's score less that of its items drawn with replacement, [draws, (model, step)]."""
    score = items.pivot_table(index="item_id", columns=PLACE, values="score").dropna(axis="columns")
    n = len(score)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=draws) / n
    return pd.DataFrame((weights - 1 / n) @ score.to_numpy(dtype=float), columns=score.columns)
