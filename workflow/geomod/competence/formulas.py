"""SyntaxGym's formulas over the surprisals of regions: parsed, never evaluated as code.

    ((6;%nosub_matrix%) > (6;%sub_matrix%)) & ((*;%a%) - (*;%b%) < 2)

`(n;%condition%)` is the surprisal of region n of that condition, `(*;%condition%)` that of the
whole sentence. `+ -` bind before `< > =`, these before `& |`, which take turns from left to right;
brackets of either kind group. `=` holds up to rounding: |a − b| ≤ 1e-3 + 1e-5·|b|.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from geomod.base.errors import InputError

Region = tuple[str, str]  # number, or * for all; condition
Value = Any  # a number or a truth value, or an array of them: draws, items

ABSOLUTE, RELATIVE = 1e-3, 1e-5

TOKEN = re.compile(
    r"\s*(?:[(\[]\s*(?P<region>\d+|\*)\s*;\s*%(?P<condition>[\w-]+)%\s*[)\]]"
    r"|(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?)"
    r"|(?P<sign>[-+<>=&|()\[\]]))"
)


def _same(a: Value, b: Value) -> Value:
    return np.abs(a - b) <= ABSOLUTE + RELATIVE * np.abs(b)


OPERATORS: dict[str, Callable[[Value, Value], Value]] = {
    "+": operator.add,
    "-": operator.sub,
    "<": operator.lt,
    ">": operator.gt,
    "=": _same,
    "&": np.logical_and,
    "|": np.logical_or,
}
# From the loosest to the tightest: signs, and whether they join truth values or numbers.
LEVELS = (("&|", True), ("<>=", False), ("+-", False))


@dataclass(frozen=True)
class Formula:
    """A prediction: whether it holds, given the surprisal of every region that it names."""

    text: str
    regions: frozenset[Region]
    holds: Callable[[Mapping[Region, Value]], Value]


def parse(text: str) -> Formula:
    """The formula that `text` says; what is wrong with it is an error that says where."""
    return _Parser(text).formula()


@dataclass(frozen=True)
class _Part:
    """A part of a formula: how its value comes about, and whether it is true or false."""

    value: Callable[[Mapping[Region, Value]], Value]
    truth: bool


class _Parser:
    """Recursive descent, a method for what binds alike."""

    def __init__(self, text: str) -> None:
        self.text, self.regions = text, set[Region]()
        self.tokens = list(self._split())
        self.place = 0

    def formula(self) -> Formula:
        part = self._level(0)
        if self.place < len(self.tokens):
            raise self._wrong("the formula should end here")
        if not part.truth:
            raise InputError(f"{self.text!r} is a number; a prediction compares with < > or =")
        return Formula(self.text, frozenset(self.regions), part.value)

    def _split(self) -> Iterator[re.Match[str]]:
        place = 0
        while self.text[place:].strip():
            match = TOKEN.match(self.text, place)
            if not match:
                raise self._wrong("this is no part of a formula", place)
            yield match
            place = match.end()

    def _level(self, level: int) -> _Part:
        if level == len(LEVELS):
            return self._atom()
        signs, of_truths = LEVELS[level]
        left = self._level(level + 1)
        while (sign := self._sign()) and sign in signs:
            self.place += 1
            right = self._level(level + 1)
            if (left.truth, right.truth) != (of_truths, of_truths):
                wanted = "comparisons" if of_truths else "numbers"
                raise self._wrong(f"{sign} joins {wanted}", self.tokens[self.place - 1].start())
            left = self._joined(left, sign, right)
        return left

    @staticmethod
    def _joined(left: _Part, sign: str, right: _Part) -> _Part:
        join = OPERATORS[sign]
        return _Part(lambda known: join(left.value(known), right.value(known)), sign not in "+-")

    def _atom(self) -> _Part:
        if self.place == len(self.tokens):
            raise self._wrong("something is missing at the end")
        match = self.tokens[self.place]
        self.place += 1
        if match["region"]:
            region = (match["region"].lstrip("0") or "0", match["condition"])
            self.regions.add(region)
            return _Part(lambda known: known[region], False)
        if match["number"]:
            number = float(match["number"])
            return _Part(lambda known: number, False)
        if match["sign"] == "-":
            inner = self._atom()
            return _Part(lambda known: -inner.value(known), False)
        if match["sign"] not in "([":
            raise self._wrong("a region, a number or a bracket should stand here", match.start())
        inner = self._level(0)
        if self._sign() != {"(": ")", "[": "]"}[match["sign"]]:
            raise self._wrong("a bracket is not closed", match.start())
        self.place += 1
        return inner

    def _sign(self) -> str:
        return self.tokens[self.place]["sign"] or "" if self.place < len(self.tokens) else ""

    def _wrong(self, what: str, place: int | None = None) -> InputError:
        if place is None:
            at_end = self.place >= len(self.tokens)
            place = len(self.text) if at_end else self.tokens[self.place].start()
        rest = self.text[place:].strip()
        where = f"before {rest[:40]!r}" if rest else "at its end"
        return InputError(f"{self.text!r}: {what}, {where}")
