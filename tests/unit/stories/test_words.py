"""Words with times, from every kind of file: right, or refused by row, or counted."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.stories.names import story_names, word_files
from geomod.stories.settings import Settings
from geomod.stories.words import BROKEN, MISTAKEN, cut, read_words
from tests.unit.stories.test_textgrids import FORMS, written

TABLE = "story,word,onset,offset\nb,Once,0.5,0.7\nb,upon,0.7,0.9\na,Then,0.1,0.4\n"


def of_table(folder, text, name="words.csv", **more):
    (folder / name).write_text(text, encoding="utf-8")
    return read_words(Settings(words=str(folder / name), **more))


@pytest.mark.parametrize("text", [TABLE, TABLE.replace("story", "section").replace("b,", "2.0,")])
def test_names_are_known_before_the_words_are_read(tmp_path, text):
    found = of_table(tmp_path, text)
    assert story_names(Settings(words=str(tmp_path / "words.csv"))) == found.stories
    assert story_names(Settings(words="nothing.csv", stories=["x"])) == ["x"]
    with pytest.raises(InputError, match=r"nothing.csv cannot be read"):
        story_names(Settings(words="nothing.csv"))


def test_a_table_comes_story_by_story_in_its_order(tmp_path):
    found = of_table(tmp_path, TABLE)
    assert found.stories == ["b", "a"]
    assert found.notes == []
    assert found.words["word"].tolist() == ["Once", "upon", "Then"]
    assert found.words["offset"].tolist() == [0.7, 0.9, 0.4]


def test_stories_that_are_mixed_are_sorted_out(tmp_path):
    text = "story,word,onset,offset\nb,x,0,1\na,y,0,1\nb,z,1,2\n"
    assert of_table(tmp_path, text).words["word"].tolist() == ["x", "z", "y"]


def test_columns_may_have_other_names_and_stories_be_chosen(tmp_path):
    text = TABLE.replace("onset", "start").replace("word", "token")
    columns = {"onset": "start", "word": "token"}
    found = of_table(tmp_path, text, columns=columns, stories=["a"])
    assert found.words["word"].tolist() == ["Then"]
    with pytest.raises(InputError, match=r"no story 'c'.*It has b, a"):
        of_table(tmp_path, text, columns=columns, stories=["c"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("0.7,0.9", "0.7,0.6", r"words.csv, row 3: the word 'upon'.*ends before it begins"),
        ("0.7,0.9", "0.4,0.9", r"row 3: .*begins before the word before it"),
        ("0.7,0.9", "0.7,", r"row 3: .*has one of its two times"),
        ("0.7,0.9", "zero,0.9", r"row 3: onset is 'zero', not a number"),
        ("0.1,0.4", ",", "no word of story 'a' has a time"),
        ("a,Then", ",Then", "row 4: story is empty"),
        ("a,Then", "a, ", "story 'a' has no words"),
        ("story,", "tale,", "no column `story`"),
        ("word,", "text,", "no column 'word'"),
        (TABLE.split("\n", 1)[1], "", "words.csv has no words"),
    ],
)
def test_what_is_wrong_is_said_with_its_row(tmp_path, old, new, said):
    assert old in TABLE
    with pytest.raises(InputError, match=said):
        of_table(tmp_path, TABLE.replace(old, new))


def test_empty_and_untimed_and_overlapping_words_are_counted(tmp_path):
    text = TABLE.replace("b,upon,0.7,0.9", "b,upon,0.6,0.9\nb, ,0.9,1\nb,a,,\nb,time,1,2")
    found = of_table(tmp_path, text)
    assert found.words["word"].tolist() == ["Once", "upon", "a", "time", "Then"]
    assert found.words["onset"].isna().tolist() == [False, False, True, False, False]
    said = " | ".join(found.notes)
    assert "story b: 1 empty words are left out" in said
    assert "story b: 1 of 4 words have no time" in said
    assert "story b: 1 words begin before the one before them ends, by up to 0.1 s" in said
    assert "row 3" in said


def test_capitals_are_pointed_out_and_can_be_made_small(tmp_path):
    text = TABLE.replace("Once", "ONCE").replace("upon", "UPON").replace("Then", "THEN")
    assert "lowercase" in of_table(tmp_path, text).notes[0]
    assert of_table(tmp_path, text, lowercase=True).words["word"].tolist()[0] == "once"


def test_a_textgrid_a_story_without_what_is_no_word(tmp_path):
    said = ["{BR}", "once", "sp", "upon", "", "{NS} ", 'a "time"']
    tier = [("word", [(k, k + 1, label) for k, label in enumerate(said)])]
    for number, (name, form) in enumerate(FORMS.items()):
        folder = tmp_path / name
        folder.mkdir()
        written(folder, form([("phone", []), *tier], 7), ["utf-8", "utf-16 big"][number % 2])
    told = Settings(words=str(tmp_path / "{story}/a.TextGrid"))
    assert len(word_files(told)) == 3
    found = read_words(told)
    assert sorted(found.stories) == sorted(FORMS)
    for _, own in found.words.groupby("story"):
        assert own["word"].tolist() == ["once", "upon", 'a "time"']
        assert own["onset"].tolist() == [1, 3, 6]
    nothing = tmp_path / "long"
    written(nothing, FORMS["long"]([("word", [(0, 1, "sp")])]))
    with pytest.raises(InputError, match="'word' has no words"):
        read_words(told)


GENTLE = [
    {"case": "success", "word": "Once", "alignedWord": "once", "start": 0.5, "end": 0.7},
    {"case": "not-found-in-transcript", "phones": []},
    {"case": "not-found-in-audio", "word": "upon", "startOffset": 5, "endOffset": 9},
    {"case": "success", "word": "a", "alignedWord": "<unk>", "start": 0.9, "end": 1.0},
]


def test_gentle_gives_the_same_from_both_of_its_files(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one/align.json").write_text(json.dumps({"transcript": "", "words": GENTLE}))
    (tmp_path / "two/align.csv").write_text("Once,once,0.5,0.7\nupon,,,\na,<unk>,0.9,1.0\n")
    of_json = read_words(Settings(words=str(tmp_path / "{story}/align.json")))
    of_csv = read_words(Settings(words=str(tmp_path / "{story}/align.csv")))
    pd.testing.assert_frame_equal(
        of_json.words.drop(columns="story"), of_csv.words.drop(columns="story")
    )
    assert of_json.words["word"].tolist() == ["Once", "upon", "a"]
    assert np.isnan(of_json.words["onset"][1])
    assert any("1 of 3 words have no time" in note for note in of_csv.notes)
    assert any("1 words were heard but are not in the transcript" in n for n in of_json.notes)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"words": 3}', "no list `words`"),
        ('{"words": [{"case": "lost"}]}', "'lost' is none of Gentle's"),
        ('{"words": [{"case": "success", "word": "a"}]}', "no `start` and `end`"),
        ("{", "no JSON"),
    ],
)
def test_a_broken_alignment_is_refused(tmp_path, content, said):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=said):
        read_words(Settings(words=str(tmp_path / "{story}.json")))


def test_a_table_a_story_needs_no_column_of_stories(tmp_path):
    (tmp_path / "a.csv").write_text("word,onset,offset,pos\nhi,0,1,N\n")
    (tmp_path / "b.csv").write_text("hi,hi,0.0,0.5,more\n")
    found = read_words(Settings(words=str(tmp_path / "{story}.csv"), stories=["a"]))
    assert found.words.to_dict("records") == [
        {"story": "a", "word": "hi", "onset": 0.0, "offset": 1.0}
    ]
    with pytest.raises(InputError, match=r"b\.csv: there are two columns called 'hi'"):
        read_words(Settings(words=str(tmp_path / "{story}.csv")))
    with pytest.raises(InputError, match="no file is called like"):
        read_words(Settings(words=str(tmp_path / "no/{story}.csv")))


def petit_prince(rows):
    head = "word,lemma,onset,offset,logfreq,pos,section,top_down,bottom_up,left_corner\n"
    return head + "".join(f"{w},{w},{a},{b},1,N,{s},1,1,1\n" for w, a, b, s in rows)


def test_sections_of_the_petit_prince_are_stories(tmp_path):
    rows = [("Once", 0.1, 0.3, 1), (" ", 0.3, 0.3, 1), ("when", 0.4, 0.5, 1), ("whne", 0.4, 0.5, 1)]
    rows += [("", 0.6, 0.6, 1), ("I", 0.7, 0.8, 1), ("So", 0.2, 0.3, 2)]
    found = of_table(tmp_path, petit_prince(rows), "lppEN_word_information.csv")
    assert found.stories == ["1", "2"]
    assert found.words["word"].tolist() == ["Once", "when", "I", "So"]
    assert any("1 rows repeat a word" in note and ": 5" in note for note in found.notes)
    assert any("2 empty words" in note for note in found.notes)


def test_rows_that_are_known_to_be_broken_go(tmp_path):
    for name, broken in BROKEN.items():
        rows = [(f"w{k}", k / 4, k / 4 + 0.1, 1) for k in range(max(broken) + 2)]
        found = of_table(tmp_path, petit_prince(rows), name)
        left = set(range(len(rows))) - {int(word[1:]) for word in found.words["word"]}
        assert left == set(broken)
        kept = of_table(tmp_path, petit_prince(rows), "own.csv")
        assert len(kept.words) == len(rows)


def test_words_that_are_known_to_be_mistaken_are_set_right_where_they_stand(tmp_path):
    for name, mistaken in MISTAKEN.items():
        said = {row: wrong for row, wrong, _ in mistaken}
        elided = {row: f"{word}'" if word == "d" else word for row, word in said.items()}
        rows = [(elided.get(k, f"w{k}"), k, k + 0.1, 1) for k in range(max(said) + 2)]
        words = of_table(tmp_path, petit_prince(rows), name).words.set_index("onset")["word"]
        assert words[4587] == "l'"
        assert all(words[row].strip("'") == right for row, _, right in mistaken)
        rows[3332] = ("des", 3332, 3332.1, 1)  # another edition of the table
        words = of_table(tmp_path, petit_prince(rows), name).words.set_index("onset")["word"]
        assert words[3332] == "des"
        kept = of_table(tmp_path, petit_prince(rows), "own.csv").words
        assert "première" not in set(kept["word"])


CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
TIMES = st.one_of(st.floats(-5, 50).map(str), st.sampled_from(["", "n/a", "nan", "x", "1,5"]))


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["a", "b", ""]), CELLS, TIMES, TIMES), max_size=6))
def test_any_table_is_read_soundly_or_refused_in_words(tmp_path, rows):
    table = pd.DataFrame(rows, columns=["story", "word", "onset", "offset"])
    try:
        found = of_table(tmp_path, table.to_csv(index=False))
    except InputError as error:
        assert "words.csv" in str(error)  # noqa: PT017
        return
    for _, own in found.words.groupby("story"):
        timed = own.dropna()
        assert (own["word"].str.strip() != "").all()
        assert (timed["onset"] <= timed["offset"]).all()
        assert timed["onset"].is_monotonic_increasing
        assert own["onset"].isna().equals(own["offset"].isna())


def test_units_are_spans_of_words_or_sentences():
    words = pd.DataFrame({"story": list("aaaaabb"), "word": [f"w{k}" for k in range(7)]})
    units = cut(words, 2)
    assert units["sentence"].tolist() == ["w0 w1", "w2 w3", "w4", "w5 w6"]
    assert units["item_id"].tolist() == ["a:0", "a:1", "a:2", "b:0"]
    assert units["n_words"].tolist() == [2, 2, 1, 2]
    own = cut(words.assign(sentence=[1, 1, 1, 2, 2, 2, 2]), 2)
    assert own["sentence"].tolist() == ["w0 w1 w2", "w3 w4", "w5 w6"]
    assert own["group"].tolist() == ["a", "a", "b"]
