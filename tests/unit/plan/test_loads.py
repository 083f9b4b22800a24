"""What was planned together is read together, and stays so."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from geomod.plan.loads import Load, deal_loads

ALONE, PASSAGE = ({"reading": name, "long": "refuse"} for name in ("sentences", "passages"))

asked = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([ALONE, PASSAGE]), min_size=1)


def plan_of(loads: list[Load]) -> list[dict]:
    return [dict(load.planned) for load in loads]


def test_what_is_asked_for_at_once_shares_a_load() -> None:
    loads = deal_loads({"a": ALONE, "b": PASSAGE})
    assert loads == [Load(0, {"a": ALONE, "b": PASSAGE}, ("a", "b"))]
    assert loads[0].is_first


def test_a_dataset_that_comes_later_has_a_load_of_its_own() -> None:
    before = deal_loads({"a": ALONE, "b": ALONE})
    loads = deal_loads({"c": ALONE, "b": ALONE, "a": ALONE}, plan_of(before))
    assert loads == [*before, Load(1, {"c": ALONE}, ("c",))]


def test_a_dataset_that_is_taken_away_leaves_the_job_that_read_it_as_it_was() -> None:
    before = deal_loads({"a": ALONE, "b": ALONE})
    (load,) = deal_loads({"a": ALONE}, plan_of(before))
    assert load == Load(0, before[0].planned, ("a",))
    # Without its sentences the job cannot be the same.
    (load,) = deal_loads({"a": ALONE}, plan_of(before), is_there=lambda name, how: False)
    assert load == Load(0, {"a": ALONE}, ("a",))


def test_the_first_load_stays_for_the_sketches_of_the_weights() -> None:
    before = deal_loads({"a": ALONE})
    first, second = deal_loads({"b": ALONE}, plan_of(before))
    assert (first.wanted, first.planned) == ((), {"a": ALONE})
    assert second == Load(1, {"b": ALONE}, ("b",))
    assert deal_loads({"a": ALONE}, plan_of([first, second])) == before


def test_another_context_is_another_load() -> None:
    before = deal_loads({"a": ALONE, "b": ALONE})
    first, second = deal_loads({"a": PASSAGE, "b": ALONE}, plan_of(before))
    assert (first.wanted, second.wanted) == (("b",), ("a",))
    assert second.planned == {"a": PASSAGE}


def further(*names: str, units: dict = ALONE) -> dict:
    return {name: {"reading": name.partition("/")[2], "units": units} for name in names}


FILES = {"lens": ["lens.parquet"], "norms": ["norms.npy"]}


def test_a_reading_of_a_dataset_that_comes_later_has_a_load_of_its_own() -> None:
    (load,) = deal_loads({"a": ALONE, **further("a/lens")})
    assert load.datasets == {"a": ALONE}
    assert load.files(FILES)[2:] == [("a", "tokens.parquet"), ("a", "lens.parquet")]
    assert (load.has_any_of({"lens"}), load.has_any_of({"norms"})) == (True, False)
    before = deal_loads({"a": ALONE, "b": ALONE})
    later = {"a": ALONE, "b": ALONE, **further("a/lens", "b/lens")}
    first, second = deal_loads(later, plan_of(before))
    assert first == before[0]
    assert second.datasets == {"a": ALONE, "b": ALONE}
    assert second.files(FILES) == [("a", "lens.parquet"), ("b", "lens.parquet")]
    # Read in another way, the dataset and what is read of it are one new load.
    other = {"a": PASSAGE, **further("a/lens", units=PASSAGE)}
    *_, new = deal_loads(other, plan_of(before))
    assert (new.datasets, new.wanted) == ({"a": PASSAGE}, ("a", "a/lens"))


def test_a_reading_that_is_taken_away_leaves_the_job_that_made_it_as_it_was() -> None:
    before = deal_loads({"a": ALONE, **further("a/lens")})
    (load,) = deal_loads({"a": ALONE}, plan_of(before))
    assert load.planned == before[0].planned
    assert load.files({}) == before[0].files(FILES)[:3]


SCORED = {"reading": "scored", "kind": "pairs", "files": ["p.csv"], "per_task": 0}


def test_task_sets_share_the_load_of_the_datasets() -> None:
    (load,) = deal_loads({"a": ALONE, "pairs": SCORED})
    assert load.datasets == {"a": ALONE}
    assert load.task_sets == {"pairs": SCORED}


def test_another_draw_of_a_task_set_is_a_load_of_its_own() -> None:
    before = deal_loads({"a": ALONE, "pairs": SCORED})
    other = {**SCORED, "per_task": 50}
    first, second = deal_loads({"a": ALONE, "pairs": other}, plan_of(before))
    assert (first.wanted, first.planned) == (("a",), before[0].planned)
    assert second == Load(1, {"pairs": other}, ("pairs",))


def test_a_task_set_whose_files_are_gone_is_planned_no_more() -> None:
    before = deal_loads({"a": ALONE, "pairs": SCORED})
    other = {**SCORED, "files": ["q.csv"]}
    asked = {"a": ALONE, "pairs": other}
    first, second = deal_loads(asked, plan_of(before), lambda name, how: how != SCORED)
    assert first == Load(0, {"a": ALONE}, ("a",))
    assert second.planned == {"pairs": other}


@given(asked, st.lists(asked, max_size=4))
def test_every_dataset_is_read_once_in_the_way_it_is_asked_for(
    now: dict, history: list[dict]
) -> None:
    plan: list[dict] = []
    for then in history:
        plan = plan_of(deal_loads(then, plan))
    loads = deal_loads(now, plan)
    assert sorted(name for load in loads for name in load.wanted) == sorted(now)
    for load in loads:
        assert all(load.planned[name] == now[name] for name in load.wanted)
    assert [load.number for load in loads] == list(range(len(loads)))
    again = deal_loads(now, plan_of(loads))
    assert again == loads


@given(asked, st.randoms())
def test_the_order_of_datasets_is_not_part_of_a_plan(now: dict, random: Random) -> None:
    names = list(now)
    random.shuffle(names)
    loads = deal_loads({name: now[name] for name in names}, plan_of(deal_loads(now)))
    assert loads == deal_loads(now)
