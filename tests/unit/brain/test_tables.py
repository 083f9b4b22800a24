"""Response tables, tidy and wide: the right numbers, or an error with file and row."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.brain.responses import Responses, read_responses, response_blocks
from geomod.brain.stimuli import read_stimuli

REGIONS = ["IFG", "netw"]
ITEMS = [f"s{i}" for i in range(24)]
STIMULI = pd.DataFrame({"item_id": ITEMS, "sentence": [f"Sentence number {i}." for i in range(24)]})


def responses(participants: list[str], seed: int = 0) -> pd.DataFrame:
    """Every participant's response to every sentence, in an order of its own."""
    rng = np.random.default_rng(seed)
    full = pd.MultiIndex.from_product(
        [ITEMS, REGIONS, participants], names=["item_id", "region", "participant"]
    ).to_frame(index=False)
    full["response"] = rng.normal(size=len(full)).round(6)
    return full.sample(frac=1, random_state=seed, ignore_index=True)


def read(folder: Path, table: pd.DataFrame | str, **more: Any) -> Responses:
    path = folder / "responses.csv"
    text = table if isinstance(table, str) else table.to_csv(index=False)
    path.write_text(text, encoding="utf-8", newline="")
    return read_responses({"responses": str(path), "regions": REGIONS, **more}, STIMULI)


def test_tidy_table_with_participants(tmp_path: Path) -> None:
    table = responses(["1", "2", "3"])
    found = read(tmp_path, table).table
    key = ["item_id", "region", "participant"]
    single = found[found["participant"] != "average"].set_index(key)["response"]
    assert single.sort_index().equals(table.set_index(key)["response"].sort_index())
    mean = table.groupby(["item_id", "region"])["response"].mean()
    average = found[found["participant"] == "average"].set_index(["item_id", "region"])["response"]
    np.testing.assert_allclose(average.sort_index(), mean.sort_index(), atol=1e-15)


def test_rows_come_in_the_order_of_the_responses(tmp_path: Path) -> None:
    table = responses(["1", "2"])
    order = list(table["item_id"].drop_duplicates())
    assert order != ITEMS
    found = read(tmp_path, table).table
    assert list(found["item_id"].drop_duplicates()) == order
    (block,) = response_blocks(found, STIMULI)
    assert [ITEMS[row] for row in block.rows] == order
    assert list(block.targets["region"].drop_duplicates()) == REGIONS


def test_wide_table_is_the_average(tmp_path: Path) -> None:
    wide = pd.DataFrame({"item_id": ITEMS, "lang_LH_IFG": np.arange(24.0), "note": "=HYPERLINK()"})
    wide["lang_LH_netw"] = np.arange(24.0) ** 2
    found = read(tmp_path, wide)
    assert set(found.table["participant"]) == {"average"}
    (block,) = response_blocks(found.table, STIMULI)
    np.testing.assert_array_equal(block.matrix, np.c_[np.arange(24), np.arange(24) ** 2])
    assert "prefix 'lang_LH_'" in found.notes[0]


def test_wide_table_with_participants(tmp_path: Path) -> None:
    table = responses(["1", "2"])
    wide = table.pivot_table(index=["item_id", "participant"], columns="region", values="response")
    found = read(tmp_path, wide.reset_index()).table.set_index(["item_id", "region", "participant"])
    expected = table.set_index(["item_id", "region", "participant"])["response"]
    assert found.loc[expected.index, "response"].equals(expected)


def test_an_unbalanced_design_is_handled_and_counted(tmp_path: Path) -> None:
    table = responses(["1", "2", "3"])
    gone = (table["participant"] == "3") & table["item_id"].isin(["s1", "s2"])
    found = read(tmp_path, table[~gone])
    assert any(
        "unbalanced: of 24 sentences" in note and "3 in IFG 2" in note for note in found.notes
    )
    blocks = response_blocks(found.table, STIMULI)
    assert [(len(block.rows), len(block.targets)) for block in blocks] == [(24, 6), (22, 2)]
    assert set(blocks[1].targets["participant"]) == {"3"}
    assert not np.isnan(np.concatenate([block.matrix.ravel() for block in blocks])).any()
    s1 = table[(table["item_id"] == "s1") & (table["region"] == "IFG") & ~gone]
    average = found.table.query("item_id == 's1' and region == 'IFG' and participant == 'average'")
    assert len(s1) == 2
    assert average["response"].item() == pytest.approx(s1["response"].mean())


def test_missing_values_are_counted_and_left_out(tmp_path: Path) -> None:
    table = responses(["1", "2"]).astype({"response": object})
    table.loc[[3, 7], "response"] = ["", "NaN"]
    found = read(tmp_path, table)
    assert "2 of 96 responses are empty or NaN and left out, the first in row 5" in found.notes[0]
    assert len(found.table[found.table["participant"] != "average"]) == 94


def test_sentences_without_a_response_are_counted(tmp_path: Path) -> None:
    table = responses(["1", "2"]).query("item_id != 's5'")
    found = read(tmp_path, table)
    assert "1 of 24 sentences have no response and are left out: s5" in found.notes
    assert "s5" not in set(found.table["item_id"])


def test_a_constant_region_of_one_participant_is_left_out_and_said(tmp_path: Path) -> None:
    table = responses(["1", "2"])
    dead = (table["participant"] == "2") & (table["region"] == "IFG")
    table.loc[dead, "response"] = 0.25
    found = read(tmp_path, table)
    assert "region IFG of participant 2 is constant (0.25), and is left out" in found.notes
    average = found.table.query("region == 'IFG' and participant == 'average'").set_index("item_id")
    own = table.query("region == 'IFG' and participant == '1'").set_index("item_id")
    assert average["response"].to_dict() == own["response"].to_dict()


def test_participants_and_rows_can_be_chosen(tmp_path: Path) -> None:
    table = responses(["848", "853", "9"])
    table["cond"] = "B"
    other = table.assign(item_id="D.1", cond="D").drop_duplicates(["region", "participant"])
    table = pd.concat([table, other]).rename(columns={"region": "roi", "participant": "UID"})
    chosen = {
        "columns": {"region": "roi", "participant": "UID"},
        "where": {"cond": "B"},
        "participants": ["848", "853"],
    }
    found = read(tmp_path, table, **chosen).table
    assert set(found["participant"]) == {"848", "853", "average"}
    with pytest.raises(InputError, match=r"no responses of participant '7'. It has 848, 853, 9"):
        read(tmp_path, table, **{**chosen, "participants": ["7"]})


def test_a_published_table_of_participants_holds_sentences_and_responses(tmp_path: Path) -> None:
    """As in Tuckute 2024: more people, conditions and regions than are asked for, own names."""
    people = ["848", "853", "797"]
    table = responses(people).rename(
        columns={"region": "roi", "participant": "target_UID", "response": "response_target"}
    )
    table = table.assign(roi="lang_LH_" + table["roi"], cond="B")
    table["sentence"] = table["item_id"].map(STIMULI.set_index("item_id")["sentence"])
    right = table.assign(roi=table["roi"].str.replace("LH", "RH"), response_target=0.5)
    driven = table.assign(item_id="D." + table["item_id"], cond="D", sentence="Turin loves me not.")
    path = tmp_path / "participants.csv"
    pd.concat([driven, table, right]).to_csv(path, index=False)
    dataset = {
        "sentences": str(path),
        "responses": str(path),
        "columns": {"region": "roi", "participant": "target_UID", "response": "response_target"},
        "where": {"cond": "B"},
        "participants": ["848", "853"],
        "regions": REGIONS,
        "region_prefix": "lang_LH_",
    }
    stimuli = read_stimuli(dataset)
    assert list(stimuli["item_id"]) == list(table["item_id"].drop_duplicates())
    found, notes = read_responses(dataset, stimuli)
    assert notes == ["participants.csv: regions are read with the prefix 'lang_LH_'"]
    kept = table[table["target_UID"].isin(["848", "853"]) & (table["roi"] == "lang_LH_netw")]
    mean = kept.groupby("item_id", sort=False)["response_target"].mean()
    average = found.query("region == 'netw' and participant == 'average'").set_index("item_id")
    np.testing.assert_allclose(average["response"].loc[mean.index], mean, atol=1e-15)
    with pytest.raises(InputError, match="with more than one prefix: lang_LH_, lang_RH_"):
        read_responses({**dataset, "region_prefix": None}, stimuli)


TIDY = responses(["1", "2"])


def edited(row: int, **values: object) -> pd.DataFrame:
    table = TIDY.astype({"response": object})
    for column, value in values.items():
        table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (edited(4, item_id="s99"), "row 6: item_id 's99' is not among the sentences (1 such rows)"),
        (edited(4, item_id=""), "row 6: item_id is empty"),
        (edited(4, participant=" "), "row 6: participant is empty"),
        (edited(4, region=""), "row 6: region is empty"),
        (edited(4, response="1,5"), "row 6: response is '1,5', not a number. Write decimals with"),
        (edited(4, response="x"), "row 6: response is 'x', not a number"),
        (edited(4, participant="average"), "row 6: participant 'average' stands beside"),
        (pd.concat([TIDY, TIDY.iloc[[8]]]), "rows 10, 98: more than one response of participant"),
        (TIDY.drop(columns="response"), "no column 'response'"),
        (TIDY.drop(columns="item_id"), "no column 'item_id'"),
        (TIDY.replace("IFG", "ifg"), "no region 'IFG'. Did you mean 'ifg'? It has"),
        (TIDY.assign(response=1.0), "region 'IFG' has no responses to learn from"),
        (TIDY.assign(response=""), "region 'IFG' has no responses to learn from"),
        (TIDY[TIDY["item_id"].isin(ITEMS[:19])], "has 19 responses, fewer than 20"),
        (TIDY.assign(sentence="Other words."), "row 2: item_id"),
        (pd.DataFrame({"item_id": ITEMS, "IFG": 1.0}), "no region 'netw'"),
        (
            pd.DataFrame({"item_id": ITEMS, **{f"{h}_{r}": 1.0 for h in "LR" for r in REGIONS}}),
            "with more than one prefix: L_, R_",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, table: pd.DataFrame, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, table)
    assert words in str(caught.value)
    assert "responses.csv" in str(caught.value)


def test_a_semicolon_table_with_decimal_commas_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not separated by commas"):
        read(tmp_path, TIDY.to_csv(index=False, sep=";", decimal=","))


def test_a_prefix_can_be_given(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(size=(24, 4)), columns=["L_IFG", "L_netw", "R_IFG", "R_netw"])
    wide.insert(0, "item_id", ITEMS)
    found = read(tmp_path, wide, region_prefix="R_").table
    ifg = found[found["region"] == "IFG"]["response"]
    np.testing.assert_array_equal(ifg, wide["R_IFG"])


def test_repeated_sentences_are_pointed_out(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    TIDY.to_csv(path, index=False)
    stimuli = STIMULI.assign(sentence=["The same words."] * 3 + list(STIMULI["sentence"][3:]))
    found = read_responses({"responses": str(path), "regions": REGIONS}, stimuli)
    assert any("3 sentences occur under more than one item_id" in note for note in found.notes)


cells = st.one_of(
    st.sampled_from([*ITEMS[:3], *REGIONS, "1", "2", "", "NA", "1,5", "-3", "=A1", "average", "é"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.floats().map(repr),
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=st.lists(st.tuples(st.integers(0, 95), st.integers(0, 3), cells), max_size=4))
def test_damage_gives_an_error_or_the_numbers_that_are_written(
    tmp_path: Path, edits: list[tuple[int, int, str]]
) -> None:
    rows = [[*map(str, row)] for row in TIDY.itertuples(index=False)]
    for row, column, value in edits:
        rows[row][column] = value
    table = pd.DataFrame(rows, columns=TIDY.columns)
    found, message = None, ""
    try:
        found = read(tmp_path, table).table
    except InputError as error:
        message = str(error)
    if found is None:
        assert "responses.csv" in message
        return
    read_back = found[found["participant"] != "average"]
    key = ["item_id", "region", "participant"]
    written = table.apply(lambda column: column.str.strip()).set_index(key)["response"]
    assert len(read_back) >= 20
    for row in read_back.itertuples(index=False):
        assert float(written.loc[(row.item_id, row.region, row.participant)]) == row.response


def test_one_brain_has_no_ceiling_and_says_so(tmp_path: Path) -> None:
    rows = [(str(i), "IFG", who, i * i % 7) for i in range(30) for who in ("a", "b")]
    table = pd.DataFrame(rows, columns=["item_id", "region", "participant", "response"])
    stimuli = pd.DataFrame(
        {"item_id": [str(i) for i in range(30)], "sentence": [f"s {i}" for i in range(30)]}
    )
    path = tmp_path / "r.csv"

    def notes(responses: pd.DataFrame) -> str:
        responses.to_csv(path, index=False)
        dataset = {"responses": str(path), "regions": ["IFG"]}
        return " ".join(read_responses(dataset, stimuli).notes)

    only = table[table["participant"] == "a"]
    assert "one participant, a: there is no noise ceiling" in notes(only)
    nobody = notes(only.drop(columns="participant"))
    assert "no participants: there is no noise ceiling" in nobody
    assert "for claim 2 none at all where there is one model" in nobody
    assert "participants a, b have the same responses everywhere" in notes(table)
    table.loc[0, "response"] += 1
    assert notes(table) == ""


def test_participants_are_not_chosen_from_a_table_without_any(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("item_id,IFG\n" + "".join(f"{i},{i}\n" for i in range(30)), encoding="utf-8")
    stimuli = pd.DataFrame({"item_id": [str(i) for i in range(30)], "sentence": "s"})
    dataset = {"responses": str(path), "regions": ["IFG"], "participants": ["a"]}
    with pytest.raises(InputError, match="no column 'participant'"):
        read_responses(dataset, stimuli)
