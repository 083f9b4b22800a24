"""TextGrids in the three forms of Praat's text files: what was written comes back."""

import codecs
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.stories.textgrids import read_textgrid, word_tier

TIERS = [
    ("phone", [(0.0, 0.1, "DH"), (0.1, 0.25, "AH0"), (0.25, 1.0, "")]),
    ("word", [(0.0, 0.25, 'the "big" one'), (0.25, 1.0, "{ns}")]),
]
POINTS = [(0.5, 'a "point" 7')]


def quoted(text):
    return '"' + text.replace('"', '""') + '"'


def long_form(tiers=TIERS, end=1.0):
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0 "]
    lines += [f"xmax = {end} ", "tiers? <exists> ", f"size = {len(tiers) + 1} ", "item []: "]
    for number, (name, intervals) in enumerate(tiers, start=1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier" ']
        lines += [f"        name = {quoted(name)} ", "        xmin = 0 ", f"        xmax = {end} "]
        lines += [f"        intervals: size = {len(intervals)} "]
        for place, (start, stop, label) in enumerate(intervals, start=1):
            lines += [f"        intervals [{place}]:", f"            xmin = {start} "]
            lines += [f"            xmax = {stop} ", f"            text = {quoted(label)} "]
    lines += ["    item [9]:", '        class = "TextTier" ', '        name = "points" ']
    lines += ["        xmin = 0 ", f"        xmax = {end} ", "        points: size = 1 "]
    lines += ["        points [1]:", f"            number = {POINTS[0][0]} "]
    return "\n".join([*lines, f"            mark = {quoted(POINTS[0][1])} ", ""])


def short_form(tiers=TIERS, end=1.0):
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", str(end)]
    lines += ["<exists>", str(len(tiers) + 1)]
    for name, intervals in tiers:
        lines += ['"IntervalTier"', quoted(name), "0", str(end), str(len(intervals))]
        for start, stop, label in intervals:
            lines += [str(start), str(stop), quoted(label)]
    lines += ['"TextTier"', '"points"', "0", str(end), "1"]
    return "\n".join([*lines, str(POINTS[0][0]), quoted(POINTS[0][1]), ""])


def chronological(tiers=TIERS, end=1.0):
    lines = ['"Praat chronological TextGrid text file"', f"0 {end}   ! Time domain."]
    lines += [f"{len(tiers) + 1}   ! Number of tiers."]
    lines += [f'"IntervalTier" {quoted(name)} 0 {end}' for name, _ in tiers]
    lines += [f'"TextTier" "points" 0 {end}', ""]
    every = [
        (start, f"{number} {start} {stop}\n{quoted(label)}")
        for number, (_, intervals) in enumerate(tiers, start=1)
        for start, stop, label in intervals
    ]
    every += [(time, f"{len(tiers) + 1} {time}\n{quoted(mark)}") for time, mark in POINTS]
    return "\n".join([*lines, *(text for _, text in sorted(every)), ""])


FORMS = {"long": long_form, "short": short_form, "chronological": chronological}
CODINGS = {
    "utf-8": (b"", "utf-8"),
    "utf-8 with a mark": (codecs.BOM_UTF8, "utf-8"),
    "utf-16 little": (codecs.BOM_UTF16_LE, "utf-16-le"),
    "utf-16 big": (codecs.BOM_UTF16_BE, "utf-16-be"),
    "utf-16 without a mark": (b"", "utf-16-be"),
}


def written(folder: Path, text: str, coding="utf-8") -> Path:
    path = folder / "a.TextGrid"
    mark, name = CODINGS[coding]
    path.write_bytes(mark + text.encode(name))
    return path


def read(path):
    return [(tier.name, [tuple(i) for i in tier.intervals]) for tier in read_textgrid(path)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("coding", CODINGS)
def test_every_form_in_every_coding_comes_back(tmp_path, form, coding):
    found = read(written(tmp_path, FORMS[form](), coding))
    assert found == [*TIERS, ("points", [])]


LABELS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    labels=st.lists(LABELS, max_size=6),
    form=st.sampled_from(sorted(FORMS)),
    coding=st.sampled_from(sorted(CODINGS)),
)
def test_any_label_comes_back(tmp_path, labels, form, coding):
    tiers = [('w ! "x"', [(k / 8, (k + 1) / 8, label) for k, label in enumerate(labels)])]
    assert read(written(tmp_path, FORMS[form](tiers), coding))[:1] == tiers


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 10_000), form=st.sampled_from(sorted(FORMS)), byte=st.binary(max_size=2))
def test_a_damaged_file_is_refused_in_words_or_read_whole(tmp_path, cut, form, byte):
    raw = FORMS[form]().encode()
    path = tmp_path / "a.TextGrid"
    path.write_bytes(raw[: cut % len(raw)] + byte)
    try:
        for tier in read_textgrid(path):
            assert all(i.start <= i.stop for i in tier.intervals)
    except InputError as error:
        assert str(path) in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("xmax = 0.25", "xmax = -1", "goes back in time"),
        ('"IntervalTier"', '"Interval"', "class 'Interval'"),
        ("intervals: size = 2", "intervals: size = 2.5", "no count"),
        ('"TextGrid"', '"Sound"', "no TextGrid"),
        ("ooTextFile", "ooBinaryFile", "no TextGrid in text form"),
        ("            xmin = 0.25", "            xmin = 0.05", "goes back in time"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(tmp_path, old, new, said):
    text = long_form()
    assert old in text
    with pytest.raises(InputError, match=said) as error:
        read_textgrid(written(tmp_path, text.replace(old, new)))
    assert "a.TextGrid" in str(error.value)


def test_the_tier_of_words_is_found_by_its_name_or_place(tmp_path):
    tiers = read_textgrid(written(tmp_path, long_form()))
    path = tmp_path / "a.TextGrid"
    assert word_tier(tiers, path).name == "word"
    assert word_tier(tiers, path, "phone").name == "phone"
    other = read_textgrid(written(tmp_path, long_form([("a", []), ("b", [])])))
    assert word_tier(other, path).name == "b"
    with pytest.raises(InputError, match=r"no tier 'wrd'.*Did you mean 'word'.*phone, word"):
        word_tier(tiers, path, "wrd")
    many = read_textgrid(written(tmp_path, long_form([("a", []), ("b", []), ("c", [])])))
    with pytest.raises(InputError, match="which tier holds the words"):
        word_tier(many, path)
