"""SyntaxGym's formulas, against Python's own arithmetic and items worked by hand."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomod.base.errors import InputError
from geomod.competence.formulas import parse

KNOWN = {
    ("5", "a"): 7.0,
    ("5", "b"): 4.0,
    ("6", "a-x_1"): 2.5,
    ("*", "a"): 11.0,
    ("*", "b"): 11.0005,
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("(5;%a%) > (5;%b%)", True),
        ("(5;%a%) < (5;%b%)", False),
        ("(5;%a%) - (5;%b%) > (6;%a-x_1%)", True),
        ("[(5;%a%) > (5;%b%)] & [(5;%b%) < (6;%a-x_1%)]", False),
        ("[(5;%a%) > (5;%b%)] | [(5;%b%) < (6;%a-x_1%)]", True),
        ("(*;%a%) = (*;%b%)", True),  # up to rounding
        ("(5;%a%) = (5;%b%)", False),
        ("((5;%a%) - (5;%b%)) + (6;%a-x_1%) > 5.4", True),
        ("(5;%b%) > -1", True),
        # Both bind alike, from left to right: (false & …) | true, (true | …) & false.
        ("1 > 2 & 1 > 2 | 2 > 1", True),
        ("2 > 1 | 1 > 2 & 1 > 2", False),
        # Three predictions of one formula, of which the last does not hold.
        ("((5;%a%) > (5;%b%)) & ((5;%a%) > (6;%a-x_1%)) & ((5;%b%) > (5;%a%))", False),
        ("8 - 4 - 2 = 2", True),
    ],
)
def test_formulas_worked_by_hand(text, holds):
    assert bool(parse(text).holds(KNOWN)) is holds


def test_the_regions_of_a_formula():
    formula = parse("(5;%a%) + (06;%a-x_1%) > (*;%b%)")
    assert formula.regions == {("5", "a"), ("6", "a-x_1"), ("*", "b")}


values = st.sampled_from(["(1;%p%)", "(2;%p%)", "(1;%q%)", "3", "1.5"])
sums = st.recursive(
    values,
    lambda inner: st.builds(
        lambda a, sign, b: f"({a} {sign} {b})", inner, st.sampled_from("+-"), inner
    ),
    max_leaves=6,
)
comparisons = st.builds(lambda a, sign, b: f"{a} {sign} {b}", sums, st.sampled_from("<>"), sums)
truths = st.recursive(
    comparisons.map(lambda c: f"({c})"),
    lambda inner: st.builds(
        lambda a, sign, b: f"({a} {sign} {b})", inner, st.sampled_from("&|"), inner
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(truths, st.tuples(*[st.floats(0, 20)] * 3))
def test_what_stands_in_brackets_means_what_it_means_in_python(text, drawn):
    known = dict(zip([("1", "p"), ("2", "p"), ("1", "q")], drawn, strict=True))
    plain = re.sub(r"\((\d);%(\w)%\)", lambda m: repr(known[m[1], m[2]]), text)
    expected = eval(plain.replace("&", " and ").replace("|", " or "))
    assert bool(parse(text).holds(known)) == bool(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(5;%a%) >", "something is missing at the end, at its end"),
        ("(5;%a%) > (5;%b%", "this is no part of a formula"),
        ("((5;%a%) > (5;%b%)", "a bracket is not closed"),
        ("[(5;%a%) > (5;%b%))", "a bracket is not closed"),
        ("(5;%a%) > (5;%b%) (5;%a%)", r"the formula should end here, before '\(5;%a%\)'"),
        ("(5;%a%) - (5;%b%)", "is a number; a prediction compares"),
        ("(5;%a%) & (5;%b%)", "& joins comparisons"),
        ("(5;%a%) < (5;%b%) < 3", "< joins numbers"),
        ("__import__('os').system('true')", "this is no part of a formula, before .__import__"),
        ("", "something is missing at the end"),
    ],
)
def test_what_is_no_formula(text, message):
    with pytest.raises(InputError, match=message):
        parse(text)
