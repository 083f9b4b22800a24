"""Shares of known ranges, the loss among them, and the luck of items."""

import numpy as np
import pandas as pd
import pytest

from geomod.base.errors import InputError
from geomod.competence.shares import families, of_own_range, retaken

COLUMNS = ["model", "step", "task", "family", "score", "chance", "ceiling"]


def table(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=COLUMNS)


TWO = table(
    ("m", 0, "pairs", "formal", 0.5, 0.5, 1.0),
    ("m", 0, "suite", "formal", 0.3, 0.2, 1.0),
    ("m", 8, "pairs", "formal", 0.75, 0.5, 1.0),
    ("m", 8, "suite", "formal", 0.6, 0.2, 1.0),
    ("m", 8, "facts", "functional", 0.4, 0.25, 0.85),
)


def test_tasks_are_averaged_after_their_ranges_are_taken_out() -> None:
    found = families(TWO).set_index("step")
    assert found.loc[0, "formal"] == pytest.approx((0 + 0.125) / 2)
    assert found.loc[8, "formal"] == pytest.approx((0.5 + 0.5) / 2)
    assert found.loc[8, "functional"] == pytest.approx(0.25)
    assert np.isnan(found.loc[0, "functional"])


def test_no_curve_moves_because_a_task_comes_or_goes() -> None:
    gap = TWO.drop(index=1)  # one of two tasks is missing at step 0
    assert families(gap)["step"].tolist() == [8]
    other = table(("n", 8, "pairs", "formal", 0.9, 0.5, 1.0))  # which has one of the two tasks
    found = families(pd.concat([TWO, other], ignore_index=True)).set_index(["model", "step"])
    assert found.loc[("m", 8), "formal"] == pytest.approx(0.5)
    assert found.loc[("n", 8), "formal"] == pytest.approx(0.8)


def test_reading_times_have_a_range_of_their_own_and_grammar_needs_a_known_one() -> None:
    bare = table(
        ("m", 0, "rt", "behaviour", 0.01, 0.0, np.nan),
        ("m", 0, "pairs", "formal", 0.7, 0.5, np.nan),
    )
    assert of_own_range(bare) == ("behaviour", "formal")
    found = families(bare)
    assert found["behaviour"].tolist() == [0.01]
    assert "formal" not in found


def test_tasks_at_the_floor_in_most_models_and_models_of_no_run_do_not_count() -> None:
    hard = table(*((m, 8, "hard", "formal", 0.25, 0.25, 1.0) for m in "mno"))
    easy = table(*((m, 8, "pairs", "formal", 0.75, 0.5, 1.0) for m in "mnop"))
    both = pd.concat([hard.assign(floor=[True, True, False]), easy.assign(floor=False)])
    tokens = pd.DataFrame({"model": list("mno"), "step": 8, "vocabulary": 9, "surprisal": 1.0})
    found = families(both, tokens)
    assert found["model"].tolist() == ["m", "n", "o"]
    assert found["formal"].tolist() == [0.5, 0.5, 0.5]
    half = families(both.assign(floor=False), tokens)
    assert half["formal"].tolist() == [0.25, 0.25, 0.25]


def test_the_loss_goes_from_a_uniform_guess_to_the_lowest_of_the_run() -> None:
    tokens = pd.DataFrame(
        {"model": ["m", "m", "n"], "step": [0, 8, 8], "vocabulary": 100,
         "surprisal": [np.log(100), 3.0, 2.0]}
    )  # fmt: skip
    found = families(TWO, tokens).set_index(["model", "step"])["loss"]
    assert found[("m", 0)] == pytest.approx(0)
    assert found[("n", 8)] == pytest.approx(1)
    assert found[("m", 8)] == pytest.approx((np.log(100) - 3) / (np.log(100) - 2))


@pytest.mark.parametrize("column", ["score", "chance"])
def test_a_score_that_is_no_number_is_named(column: str) -> None:
    bad = TWO.copy()
    bad.loc[2, column] = np.nan
    with pytest.raises(InputError, match=r"row 2: task 'pairs' of m, step 8"):
        families(bad)


def test_a_ceiling_below_chance_is_named() -> None:
    with pytest.raises(InputError, match="a ceiling is above it"):
        families(TWO.assign(ceiling=0.1))


def test_the_luck_of_items_is_the_same_in_all_models_and_has_their_error() -> None:
    rng = np.random.default_rng(0)
    right = rng.random(200) < 0.7
    scores = [(m, s, "pairs", "formal", right.mean(), 0.5, 1.0) for m in "ab" for s in (0, 8)]
    items = pd.DataFrame(
        [(m, s, "pairs", i, float(r)) for m in "ab" for s in (0, 8) for i, r in enumerate(right)],
        columns=["model", "step", "task", "item_id", "score"],
    )
    published = ("a-v0", 0, "piqa", "formal", 0.7, 0.5, 1.0)  # of other weights
    long = retaken(items, table(*scores, published), 2000, rng)
    assert set(long["family"]) == {"formal"}
    drawn = long.pivot_table(index="draw", columns=["model", "step"], values="share")
    assert list(drawn.columns) == [("a", 0), ("a", 8), ("b", 0), ("b", 8)]
    np.testing.assert_allclose(drawn[("a", 0)], drawn[("b", 8)])
    # The share of the range [½, 1] is twice the score.
    assert drawn[("a", 0)].mean() == pytest.approx(2 * right.mean() - 1, abs=0.01)
    assert drawn[("a", 0)].std() == pytest.approx(2 * right.std() / np.sqrt(200), rel=0.06)
