"""Stories: hours of words, read in windows and reduced inside the pass to a row a TR.

What encoding models need of a story is TRs × width, a linear map of its words' features that
depends on the times and the tokenizer alone. So the map is made once, as a sparse matrix, and
applied to every window the moment that a layer arises: no states of all tokens are ever held, and a
story costs twice its tokens, not a window a word.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from geomod.base.errors import InputError
from geomod.base.layers import Features
from geomod.base.tables import read_table
from geomod.models.passages import find_units
from geomod.models.reading import Inputs, Settings, reading
from geomod.models.sentences import Sentences, Spans
from geomod.stories import windows
from geomod.stories.downsampling import weights, word_times
from geomod.stories.settings import Settings as StorySettings
from geomod.stories.words import cut

if TYPE_CHECKING:
    from torch import Tensor

    from geomod.models.forward import Opened

log = logging.getLogger(__name__)

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]


class Window(NamedTuple):
    """What becomes of one input: its tokens first … stop − 1 are added to `rows`."""

    first: int
    stop: int
    rows: Whole  # of the features
    weights: Floats  # [rows, tokens]
    share: Floats  # [tokens], of the mean over all words


@reading("story")
class Story(Sentences):
    """Features of every TR of the stories, and Grams and surprisal of their units.

    A story is its words joined by one space. It is read in windows of `how.context_tokens` tokens
    (at most what the model takes), every token in the window in which it has most left context. A
    word's feature is pooled over its own tokens; a token that straddles two words is the later
    one's. Centred by the mean over all words of all stories, words come down to TRs by the weights
    of `stories/downsampling.py`.

    After a pass `features` hold the TRs by layer, in the order of `rows` (story, time). `stimuli`
    are the units of the geometry (`stories.words.cut`), each a run of words; `grams` and `tokens`
    are of these, each read in the first window that holds all of it.

    With `first_token: drop` a word whose only token begins an input has no feature, and is no part
    of the mean.
    """

    tables = ("stimuli", "words", "rows")
    """Of the dataset's tables those that it is made of."""

    def __init__(
        self,
        stimuli: pd.DataFrame,
        settings: Settings = Settings(),  # noqa: B008
        *,
        words: pd.DataFrame,
        rows: pd.DataFrame,
        how: StorySettings = StorySettings(),  # noqa: B008
    ) -> None:
        super().__init__(stimuli, settings)
        self.rows, self.how = rows.reset_index(drop=True), how
        self.words = words[words["story"].isin(rows["story"])].reset_index(drop=True)
        self.stimuli = stimuli[stimuli["group"].isin(rows["story"])].reset_index(drop=True)

    @classmethod
    def of(cls, folder: Path, settings: Settings, how: Mapping[str, Any]) -> "Story":
        tables = {name: read_table(folder / f"{name}.parquet") for name in cls.tables}
        stimuli = tables.pop("stimuli")
        return cls(stimuli, settings, **tables, how=StorySettings(**how["story"]))

    def locate(self, opened: "Opened") -> tuple[Sequence[Sequence[int]], Spans]:
        inputs: list[list[int]] = []
        spans = Spans(*np.zeros((3, len(self.stimuli)), dtype=np.int64))
        self._windows: list[Window] = []
        told = {story: own["word"].tolist() for story, own in self.words.groupby("story")}
        stories = list(dict.fromkeys(self.rows["story"]))
        texts = [" ".join(told[story]) for story in stories]
        found = opened.tokenize_with_places(texts, self.settings.bos)
        for story, (ids, places, head) in zip(stories, found, strict=True):
            tail = _tail(places) if self.settings.bos == "tokenizer" else 0
            stop = len(ids) - tail
            starts, stops = _words(told[story], places[head:stop], story)
            cuts = windows.cut(stop - head, self._size(opened, head + tail))
            self._put_spans(spans, story, starts, stops, cuts, head, len(inputs))
            drop = self.settings.first_token == "drop" and head == 0
            self._windows += self._weigh(story, starts, stops, cuts, head, drop)
            text = ids[head:stop]
            inputs += [
                [*ids[:head], *text[first:last], *ids[stop:]]
                for first, last in zip(cuts.starts, cuts.stops, strict=True)
            ]
        log.info("%d tokens in %d windows", sum(map(len, inputs)), len(inputs))
        count = sum(window.share.sum() for window in self._windows)
        self._windows = [window._replace(share=window.share / count) for window in self._windows]
        return inputs, spans

    def _size(self, opened: "Opened", added: int) -> int:
        longest = self.how.context_tokens if opened.longest is None else opened.longest - added
        return min(self.how.context_tokens, longest)

    def _put_spans(
        self,
        spans: Spans,
        story: str,
        starts: Whole,
        stops: Whole,
        cuts: windows.Windows,
        head: int,
        before: int,
    ) -> None:
        """Where the units of one story lie, whose windows follow `before` others."""
        own = np.flatnonzero(self.stimuli["group"] == story)
        ends = np.cumsum(self.stimuli["n_words"].to_numpy()[own])
        if not len(ends) or ends[-1] != len(starts):
            raise ValueError(f"the units of story {story!r} are not made of its words")
        first, stop = starts[np.concatenate([[0], ends[:-1]])], stops[ends - 1]
        window = cuts.holding(first, stop)
        if (window < 0).any():
            unit = int(np.argmax(window < 0))
            raise InputError(
                f"story {story!r}: the {stop[unit] - first[unit]} tokens of its unit {unit} (from "
                f"0) lie in no window of {cuts.stops[0]} tokens. Set a smaller `span_words`, or "
                "more `context_tokens`"
            )
        spans.inputs[own] = before + window
        spans.starts[own] = head + first - cuts.starts[window]
        spans.stops[own] = head + stop - cuts.starts[window]

    def _weigh(
        self,
        story: str,
        starts: Whole,
        stops: Whole,
        cuts: windows.Windows,
        head: int,
        drop: bool,
    ) -> list[Window]:
        """What every window of one story adds to which rows."""
        own = self.words[self.words["story"] == story]
        at = word_times(own["onset"].to_numpy(), own["offset"].to_numpy())
        rows = np.flatnonzero(self.rows["story"] == story)
        times = self.rows["time"].to_numpy()[rows]
        starts = np.maximum(starts, 1) if drop else starts
        pooling = _pooling(starts, stops, self.settings.pooling)
        share = np.asarray(pooling.sum(axis=0))
        by_token = sparse.csc_array(weights(times, at, self.how.tr, self.how.downsample) @ pooling)
        found = []
        for begin, first, stop in zip(*cuts, strict=True):
            block = sparse.csr_array(by_token[:, first:stop])
            used = np.flatnonzero(np.diff(block.indptr))
            shift = head - begin
            found.append(
                Window(
                    int(first + shift),
                    int(stop + shift),
                    rows[used],
                    block[used].toarray(),
                    share[first:stop],
                )
            )
        return found

    def room(self, opened: "Opened") -> Features:
        shape = (len(self.rows), opened.width)
        self._origins: dict[int, Any] = {}
        self._means = {layer: np.zeros(opened.width) for layer in opened.layers}
        self._rates = np.zeros(len(self.rows))
        for window in self._windows:
            self._rates[window.rows] += window.weights.sum(axis=1)
        return {layer: np.zeros(shape, np.float32) for layer in opened.layers}

    def keep(self, layer: int, inputs: Inputs, states: "Tensor") -> None:
        super().keep(layer, inputs, states)
        for place, of_input in zip(inputs, states, strict=True):
            window = self._windows[place]
            own = of_input[window.first : window.stop].double()
            # States can lie far from 0, and their sums in float32 would lose what differs between
            # words. So all are counted from one place in their midst.
            origin = self._origins.setdefault(layer, own.mean(dim=0))
            self._arrivals.send(own - origin, partial(self._add, layer, window))

    def _add(self, layer: int, window: Window, moved: NDArray[np.float64]) -> None:
        """What the tokens of a window, `moved` [tokens, width] by the origin, add to the rows."""
        self.features[layer][window.rows] += window.weights @ moved
        self._means[layer] += window.share @ moved

    def pool(self, layer: int, units: Inputs, own: "Tensor") -> None:
        """Units have no features: rows are TRs."""

    def end(self) -> None:
        super().end()
        for layer, features in self.features.items():
            origin = self._origins[layer].cpu().numpy()
            shift = -self._means[layer] if self.how.centre else origin
            features += self._rates[:, None] * shift


def _words(units: Sequence[str], places: Whole, story: str) -> tuple[Whole, Whole]:
    """The first token of each word, and its last one + 1."""
    starts, stops, straddling = find_units(units, places)
    if straddling:
        log.info(
            "story %s: %d tokens straddle two words; each is the later one's", story, straddling
        )
    lost = np.flatnonzero(starts >= stops)
    if len(lost):
        raise InputError(
            f"story {story!r}, word {lost[0]} (from 0): {units[lost[0]]!r} has no token of its "
            "own: the tokenizer merges it with the word that follows. Join the two"
        )
    return starts, stops


def _pooling(starts: Whole, stops: Whole, how: str) -> sparse.csr_array:
    """The weight [words, tokens] of every token in its word's feature."""
    lengths = np.maximum(stops - starts, 0)
    words = np.repeat(np.arange(len(starts)), lengths)
    tokens = np.arange(len(words)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    tokens += np.repeat(starts, lengths)
    values = 1 / lengths[words] if how == "mean" else 1.0 * (tokens == stops[words] - 1)
    found = sparse.csr_array((values, (words, tokens)), shape=(len(starts), int(stops[-1])))
    found.eliminate_zeros()
    return found


def _tail(places: Whole) -> int:
    """How many tokens at the end stand for no character."""
    nothing = places[:, 1] == 0
    return int(np.argmin(nothing[::-1])) if not nothing.all() else len(places)


def extract_story(
    model: Any,
    tokenizer: Any,
    words: pd.DataFrame,
    rows: pd.DataFrame,
    *,
    how: StorySettings = StorySettings(),  # noqa: B008
    blocks: str | None = None,
    batch_tokens: int = 512,
    **settings: Any,
) -> Story:
    """Read the stories of `words` (story, word, onset, offset) into `rows` (story, time).

    `settings` are those of `geomod.models.reading.Settings`.
    """
    from geomod.models.forward import read

    found = Story(cut(words, how.span_words), Settings(**settings), words=words, rows=rows, how=how)
    read(model, tokenizer, [found], blocks=blocks, batch_tokens=batch_tokens)
    return found
