"""A model beside its tuned version: differences are those of paired tests, over their units."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from geomod.base.errors import InputError
from geomod.claims.tuned import ALL, COLUMNS, Measured, compare

PEOPLE, SENTENCES, ITEMS, LAYERS = 6, 40, 50, (0, 1, 2)
TASKS = pd.DataFrame({
    "task": ["agreement", "island", "arc", "times"],
    "family": ["formal", "formal", "functional", "behaviour"],
    "chance": [0.5, 0.5, 0.25, 0.0],
    "ceiling": [1.0, 0.9, 1.0, np.nan],
})  # fmt: skip


def measured(name: str, seed: int, gain: float = 0.0) -> Measured:
    """A model whose score, curvature and knowledge are higher by `gain`."""
    rng = np.random.default_rng(seed)
    people = [str(k) for k in range(PEOPLE)]
    encoding = pd.DataFrame(
        product(("netw", "IFG"), people, LAYERS), columns=["region", "participant", "layer"]
    )
    encoding["score"] = 0.2 + gain + 0.02 * rng.standard_normal(len(encoding))
    average = encoding.groupby(["region", "layer"], as_index=False)["score"].mean()
    average = average.assign(participant="average", score=2 * average["score"])
    sentences = [f"s{k}" for k in range(SENTENCES)]
    geometry = pd.DataFrame(product(sentences, LAYERS), columns=["item_id", "layer"])
    geometry = geometry.assign(
        metric="curvature",
        variant="hosseini",
        value=2.0 + gain + 0.1 * rng.standard_normal(len(geometry)),
    )
    items = pd.DataFrame(product(TASKS["task"], range(ITEMS)), columns=["task", "item_id"])
    items = items.assign(
        item_id=items["item_id"].astype(str),
        score=(rng.random(len(items)) < 0.7 + gain).astype(float),
    )
    spans = items.merge(pd.DataFrame({"part": ["good", "bad"]}), how="cross")
    return Measured(
        name,
        pd.concat([encoding, average]),
        geometry,
        pd.DataFrame({"item_id": sentences, "read": "4:the 7:cat 11:sat"}),
        items,
        spans.assign(read="4:the 9:dog"),
        TASKS,
    )


def table(*pairs: tuple[Measured, Measured]) -> pd.DataFrame:
    found = compare(pairs, {"curvature": "hosseini"})
    assert list(found.columns) == COLUMNS
    assert not found.duplicated(["base", "tuned", "quantity", "name"]).any()
    return found.set_index(["base", "tuned", "quantity", "name"]).sort_index()


def test_geometry_is_a_paired_t_over_sentences() -> None:
    base, tuned = measured("a", 0), measured("b", 1, gain=0.1)
    means = [
        each.geometry[each.geometry["layer"] > 0].groupby("item_id")["value"].mean()
        for each in (base, tuned)
    ]
    expected = stats.ttest_rel(means[1], means[0])
    row = table((base, tuned)).loc[("a", "b", "geometry", "curvature")]
    assert row["p"] == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval()
    assert (row["low"], row["high"]) == pytest.approx((low, high))
    assert row["units"] == SENTENCES


def test_alignment_is_the_average_brains_with_the_error_of_its_people() -> None:
    base, tuned = measured("a", 0), measured("b", 1, gain=0.1)
    row = table((base, tuned)).loc[("a", "b", "alignment", "netw")]
    people = []
    for each in (base, tuned):
        own = each.encoding[(each.encoding["region"] == "netw") & (each.encoding["layer"] > 0)]
        people.append(own[own["participant"] != "average"].groupby("participant")["score"].mean())
    expected = stats.ttest_rel(*reversed(people)).confidence_interval()
    # The average brain of this world is predicted twice as well, and its error is twice as large.
    assert row["difference"] == pytest.approx(2 * (people[1] - people[0]).mean())
    assert (row["low"], row["high"]) == pytest.approx((2 * expected.low, 2 * expected.high))
    assert row["units"] == PEOPLE


def test_competence_is_in_shares_of_the_range_of_each_task() -> None:
    base, tuned = measured("a", 0), measured("b", 1, gain=0.1)
    found = table((base, tuned)).loc[("a", "b", "competence")]
    scores = {each.model: each.items.groupby("task")["score"].mean() for each in (base, tuned)}
    change = scores["b"] - scores["a"]
    expected = (change["agreement"] / 0.5 + change["island"] / 0.4) / 2
    assert found.loc["formal", "difference"] == pytest.approx(expected)
    assert found.loc["functional", "difference"] == pytest.approx(change["arc"] / 0.75)
    assert found.loc["behaviour", "difference"] == pytest.approx(change["times"])
    one = [each.items[each.items["task"] == "arc"]["score"] for each in (tuned, base)]
    assert found.loc["functional", "p"] == pytest.approx(stats.ttest_rel(*one).pvalue)
    assert found.loc["formal", "units"] == 2 * ITEMS


def test_over_pairs_the_pairs_are_the_units() -> None:
    pairs = [(measured(f"a{k}", k), measured(f"b{k}", 10 + k, gain=0.1)) for k in range(4)]
    found = table(*pairs)
    own = found.xs(("alignment", "netw"), level=("quantity", "name"))
    every, each = own.loc[(ALL, ALL)], own.drop((ALL, ALL))
    expected = stats.ttest_rel(each["value_tuned"], each["value_base"])
    assert every["difference"] == pytest.approx(each["difference"].mean())
    assert every["p"] == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval()
    assert (every["low"], every["high"]) == pytest.approx((low, high))
    assert every["units"] == 4


def test_one_pair_and_one_person_say_nothing_of_others() -> None:
    base, tuned = (
        replace(each, encoding=each.encoding[each.encoding["participant"] == "average"])
        for each in (measured("a", 0), measured("b", 1))
    )
    found = table((base, tuned))
    assert np.isnan(found.loc[("a", "b", "alignment", "netw"), "low"])
    assert np.isnan(found.loc[(ALL, ALL), ["low", "high", "p"]].to_numpy()).all()


def test_texts_that_are_other_tokens_are_refused_with_the_place() -> None:
    base, tuned = measured("a", 0), measured("b", 1)
    # As many tokens, and another one among them.
    other = tuned.tokens.assign(read=["4:the 8:cat 11:sat"] * 2 + [*tuned.tokens["read"][2:]])
    said = r"sentence 's0' .* token 1 \(from 0\) is 'cat' \(7\) to a and 'cat' \(8\) to b.* 2 of 40"
    with pytest.raises(InputError, match=said):
        compare([(base, replace(tuned, tokens=other))])
    longer = tuned.tokens.assign(read=tuned.tokens["read"] + " 2:.")
    with pytest.raises(InputError, match=r"token 3 \(from 0\) is none to a and '\.' \(2\) to b"):
        compare([(base, replace(tuned, tokens=longer))])
    own = tuned.spans.copy()
    own.loc[(own["task"] == "arc") & (own["part"] == "bad"), "read"] = "5:A 9:dog"
    said = r"task 'arc', item '0' \(bad\) .* token 0 \(from 0\) is 'the' \(4\) to a and 'A' \(5\)"
    with pytest.raises(InputError, match=said):
        compare([(base, replace(tuned, spans=own))])


def test_models_of_other_depth_are_no_pair() -> None:
    base, tuned = measured("a", 0), measured("b", 1)
    deeper = pd.concat([tuned.encoding, tuned.encoding.assign(layer=3)])
    with pytest.raises(InputError, match="a has 2 blocks, b 3"):
        compare([(base, replace(tuned, encoding=deeper))])
