"""Praat's TextGrids: the intervals of a tier, from any of the three forms of its text files.

Praat reads of such a file only what stands free: texts in double quotes (a quote inside is
doubled), numbers between blanks, and `<exists>`; a `!` begins a comment. `xmin = ` or
`intervals [3]:` are there for people. So the long form and the short one are the same sequence of
values, and one grammar reads both; the chronological form has an order of its own.
"""

import codecs
import re
from pathlib import Path
from typing import NamedTuple

from geomod.base.errors import InputError
from geomod.base.sheets import listed, nearest

VALUE = re.compile(
    r'"(?P<text>(?:[^"]|"")*)"'
    r"|(?<!\S)(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?!\S)"
    r"|(?P<flag><exists>|<absent>)"
    r"|(?<!\S)!.*"
)


class Interval(NamedTuple):
    """A label and the seconds that it holds for."""

    start: float
    stop: float
    label: str


class Tier(NamedTuple):
    """The intervals of one name; none where the tier holds points."""

    name: str
    intervals: list[Interval]
    of_intervals: bool


def read_textgrid(path: str | Path) -> list[Tier]:
    """All tiers of a TextGrid, in their order."""
    path = Path(path)
    values = Values(_text(path), path)
    kind = values.text()
    if kind.startswith("ooTextFile"):
        if values.text() != "TextGrid":
            raise InputError(f"{path} is a Praat file, but no TextGrid.")
        tiers = _by_tier(values)
    elif kind == "Praat chronological TextGrid text file":
        tiers = _by_time(values)
    else:
        raise InputError(f"{path} is no TextGrid in text form: it begins with {kind[:40]!r}.")
    for tier in tiers:
        _check_order(tier, path)
    return tiers


def word_tier(tiers: list[Tier], path: Path, wanted: str = "") -> Tier:
    """The tier with the words: `wanted`, else `word` or `words`, else the second or only one."""
    found = [tier for tier in tiers if tier.of_intervals]
    names = [tier.name for tier in found]
    if wanted:
        if wanted not in names:
            raise InputError(
                f"{path} has no tier {wanted!r} of intervals.{nearest(wanted, names)} It has "
                f"{listed(names)}."
            )
        return found[names.index(wanted)]
    named = [tier for tier in found if tier.name.strip().lower() in ("word", "words")]
    if len(named) == 1:
        return named[0]
    if not found or len(found) > 2 or len(named) > 1:
        raise InputError(
            f"{path}: which tier holds the words? It has {listed(names)}. Say so with `tier`."
        )
    return found[-1]


class Values:
    """The values of a file, one after another, and where they stand, for messages."""

    def __init__(self, text: str, path: Path) -> None:
        self.path, self._content = path, text
        self._found = [match for match in VALUE.finditer(text) if match.lastgroup]
        self._at = 0

    def more(self) -> bool:
        return self._at < len(self._found)

    def _row(self) -> int:
        match = self._found[self._at - 1]
        return self._content[: match.start()].count("\n") + 1

    def _next(self, kind: str) -> str:
        if not self.more():
            raise InputError(f"{self.path} ends where a {kind} is due. Is it complete?")
        match = self._found[self._at]
        self._at += 1
        if match[kind] is None:
            raise InputError(
                f"{self.path}, row {self._row()}: {match[0][:40]} where a {kind} is due."
            )
        return str(match[kind])

    def text(self) -> str:
        return self._next("text").replace('""', '"')

    def number(self) -> float:
        return float(self._next("number"))

    def count(self) -> int:
        value = self.number()
        if value < 0 or value != int(value):
            raise InputError(f"{self.path}, row {self._row()}: {value:g} is no count.")
        return int(value)

    def has_tiers(self) -> bool:
        return self._next("flag") == "<exists>"

    def span(self) -> tuple[float, float]:
        return self.number(), self.number()

    def point(self) -> tuple[float, str]:
        return self.number(), self.text()

    def interval(self) -> Interval:
        return Interval(*self.span(), self.text())


def _by_tier(values: Values) -> list[Tier]:
    """The long and the short form: tier after tier."""
    values.span()
    tiers = []
    for _ in range(values.count() if values.has_tiers() else 0):
        of_intervals = _is_of_intervals(values)
        name = values.text()
        values.span()
        intervals = []
        for _ in range(values.count()):
            if of_intervals:
                intervals.append(values.interval())
            else:
                values.point()
        tiers.append(Tier(name, intervals, of_intervals))
    return tiers


def _by_time(values: Values) -> list[Tier]:
    """The chronological form: the tiers, then every interval or point after its tier's number."""
    values.span()
    tiers: list[Tier] = []
    for _ in range(values.count()):
        of_intervals = _is_of_intervals(values)
        tiers.append(Tier(values.text(), [], of_intervals))
        values.span()
    while values.more():
        number = values.count()
        if not 1 <= number <= len(tiers):
            raise InputError(f"{values.path}: something lies in tier {number} of {len(tiers)}.")
        if tiers[number - 1].of_intervals:
            tiers[number - 1].intervals.append(values.interval())
        else:
            values.point()
    return tiers


def _is_of_intervals(values: Values) -> bool:
    kind = values.text()
    if kind not in ("IntervalTier", "TextTier"):
        raise InputError(f"{values.path}: a tier of the class {kind!r} is unknown.")
    return kind == "IntervalTier"


def _check_order(tier: Tier, path: Path) -> None:
    last = float("-inf")
    for number, interval in enumerate(tier.intervals, start=1):
        if interval.stop < interval.start or interval.start < last - 1e-6:
            raise InputError(
                f"{path}, tier {tier.name!r}, interval {number}: {interval.label!r} from "
                f"{interval.start:g} to {interval.stop:g} s goes back in time (the one before "
                f"ends at {last:g} s)."
            )
        last = interval.stop


MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8-sig"}


def _text(path: Path) -> str:
    """The text of a file as Praat writes it: UTF-8, or UTF-16 with a byte order mark."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    coding = next((name for mark, name in MARKS.items() if raw.startswith(mark)), "utf-8")
    if coding == "utf-8" and b"\0" in raw[:4]:  # UTF-16 that lost its mark
        coding = "utf-16-be" if raw[:1] == b"\0" else "utf-16-le"
    try:
        return raw.decode(coding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is neither UTF-8 nor UTF-16 (byte {error.start}). Save it in Praat as UTF-8."
        ) from error
