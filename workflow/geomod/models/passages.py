"""Units read in their passage: sentences or words at their own tokens, inside one pass over all.

The units of one group, in order and joined by one space, are a passage. A model that reads from
left to right knows at each token what stands before it and nothing else, so one pass gives what
re-reading the growing text unit by unit gives. (A bidirectional model also knows what follows.)
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geomod.base.errors import InputError
from geomod.models.reading import reading
from geomod.models.sentences import Sentences, Spans

if TYPE_CHECKING:
    from geomod.models.forward import Opened

log = logging.getLogger(__name__)

Whole = NDArray[np.int64]


@reading("passages")
class Passages(Sentences):
    """Features, Grams and surprisal of every unit of `stimuli`, read in its `group`.

    A unit is its own tokens, found by the places of their characters; the space before a unit is
    its own. A token that straddles two units belongs to the later one. What a tokenizer puts before
    the text belongs to the first unit and what it puts after it to the last, as in a sentence
    alone. Surprisal is that of the unit's own tokens given all of the passage before each.

    Of a passage that is longer than the model, `settings.long: cut` reads every unit that does not
    lie within the model's reach in a pass of its own, over the last tokens up to the unit's end.
    `n_cut` counts these units, and `n_straddling` the tokens across a border between two units.
    """

    def locate(self, opened: "Opened") -> tuple[Sequence[Sequence[int]], Spans]:
        opened.tokenize(self.stimuli["sentence"].tolist(), self.settings.bos)  # names a wrong row
        units = [text.strip() for text in self.stimuli["sentence"]]
        passages = find_passages(self.stimuli["group"].tolist())
        texts = [" ".join(units[row] for row in rows) for rows in passages]
        spans = Spans(*np.zeros((3, len(units)), dtype=np.int64))
        inputs: list[list[int]] = []
        self.n_cut = self.n_straddling = 0
        for rows, (ids, places, head) in zip(
            passages, opened.tokenize_with_places(texts, self.settings.bos), strict=True
        ):
            starts, stops, straddling = find_units([units[row] for row in rows], places)
            self.n_straddling += straddling
            starts = np.maximum(starts, self.head(opened))
            for row in rows[starts >= stops]:
                raise InputError(
                    f"sentences, row {row} (from 0): {units[row]!r} has no token of its own in "
                    f"group {self._group(row)}: the tokenizer merges it with what follows. Join "
                    "the two rows"
                )
            for first, last, start in self._pieces(opened, rows, starts, stops, head):
                own, shift = rows[first:last], start - head
                spans.inputs[own] = len(inputs)
                spans.starts[own] = starts[first:last] - shift
                spans.stops[own] = stops[first:last] - shift
                inputs.append([*ids[:head], *ids[start : stops[last - 1]]])
        if self.n_straddling:
            log.info("%d tokens straddle two units; each is the later one's", self.n_straddling)
        if self.n_cut:
            log.warning(
                "%d units lie beyond the %s tokens that the model takes; each is read with the "
                "last ones up to its end",
                self.n_cut,
                opened.longest,
            )
        return inputs, spans

    def _pieces(
        self, opened: "Opened", rows: Whole, starts: Whole, stops: Whole, head: int
    ) -> list[tuple[int, int, int]]:
        """The passes that one passage takes: units first … last − 1, read from token `start` on.

        Before token `start` stand the `head` tokens that begin every input.
        """
        longest = int(stops[-1]) if opened.longest is None else opened.longest
        within = int(np.searchsorted(stops, longest, side="right"))
        pieces = [(0, within, head)] if within else []
        if within < len(rows) and self.settings.long == "refuse":
            raise InputError(
                f"sentences, row {rows[within]} (from 0): group {self._group(rows[0])} has "
                f"{stops[-1]} tokens, and the model takes at most {longest}, which end before this "
                "row does. Split the group, or set `long: cut`: a unit out of reach is then read "
                "with the tokens just before it"
            )
        for unit in range(within, len(rows)):
            start = int(stops[unit]) - (longest - head)
            if starts[unit] < start:
                raise InputError(
                    f"sentences, row {rows[unit]} (from 0): {stops[unit] - starts[unit]} tokens, "
                    f"but the model takes at most {longest - head}"
                )
            pieces.append((unit, unit + 1, start))
        self.n_cut += len(rows) - within
        return pieces

    def _group(self, row: int) -> str:
        return repr(self.stimuli["group"][row])


def find_passages(groups: Sequence[str]) -> list[Whole]:
    """The rows of each passage: those of one group, which stand together."""
    passages: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        if not isinstance(group, str) or not group:
            raise InputError(
                f"sentences, row {row} (from 0): no group, but every unit that is read in its "
                "passage needs one; fill in the column `group`"
            )
        rows = passages.setdefault(group, [])
        if rows and rows[-1] != row - 1:
            raise InputError(
                f"sentences, row {row} (from 0): group {group!r} goes on here, but it ended in row "
                f"{rows[-1]}, and group {groups[row - 1]!r} stands between; sort the table, so "
                "that the units of a passage stand together and in order"
            )
        rows.append(row)
    return [np.array(rows, dtype=np.int64) for rows in passages.values()]


def find_units(units: Sequence[str], places: Whole) -> tuple[Whole, Whole, int]:
    """First token, last token + 1 of each unit, and the number of tokens that straddle a border.

    `places` [tokens, 2] are the first character of each token and its last one + 1, in the units
    joined by one space; both are 0 for what the tokenizer adds. A unit owns the space before it.
    """
    ends = np.cumsum([len(unit) for unit in units]) + np.arange(len(units))

    def unit_at(characters: Whole) -> Whole:
        return np.searchsorted(ends, characters, side="right")

    # A lone space may come without a character of its own.
    owner = unit_at(np.maximum(places[:, 0], places[:, 1] - 1))
    straddling = int(np.sum(unit_at(places[:, 0]) < owner))
    owner = np.maximum.accumulate(owner)
    every = np.arange(len(units))
    starts, stops = (np.searchsorted(owner, every, side=side) for side in ("left", "right"))
    return starts, stops, straddling
