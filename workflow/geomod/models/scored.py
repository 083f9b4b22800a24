"""Texts of which some spans are scored: ln p of sentences, of their ends, regions or words."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from operator import setitem
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.base.arrivals import Arrivals
from geomod.base.errors import InputError
from geomod.base.tables import write_table
from geomod.competence.task_set import Span, TaskSet, Text
from geomod.models.reading import Inputs, Reading

if TYPE_CHECKING:
    from torch import Tensor

    from geomod.models.forward import Opened

Whole = NDArray[np.int64]
POSITIONS = 512  # whose distributions over the vocabulary lie in memory at once


class Beginnings:
    """Every beginning of some texts once, as a tree: what texts share is computed for all of them.

    Beginning n > 0 is that of `parents[n]` and the token `tokens[n]`; 0 is the empty one.
    """

    def __init__(self) -> None:
        self._places: dict[int, int] = {}
        self._parents, self._tokens = [0], [0]

    def add(self, ids: Sequence[int]) -> Whole:
        """The beginnings of a text: up to its first token, its second, …"""
        found, last = [], 0
        for token in ids:
            place = self._places.setdefault(last << 32 | token, len(self._parents))
            if place == len(self._parents):
                self._parents.append(last)
                self._tokens.append(token)
            found.append(place)
            last = place
        return np.array(found, dtype=np.int64)

    @property
    def parents(self) -> Whole:
        """Each beginning without its last token."""
        return np.array(self._parents, dtype=np.int64)

    @property
    def tokens(self) -> Whole:
        """The last token of each beginning."""
        return np.array(self._tokens, dtype=np.int64)


class Scored(Reading):
    """ln p of every span of a task set's texts, given what stands before it in the text.

    After a pass `spans` has a row a span: task, item_id, part, log_p (the sum over its tokens,
    nats), tokens (their number), unpredicted (how many more it has that nothing comes before: the
    first token of a text, where there is no `bos`) and read (the text's tokens up to its end, from
    that of the span before). A token belongs to the span in which its last character lies. `bos` is
    the token that stands before every text, such as `<|endoftext|>`; empty for none. With `chat` it
    is what the tokenizer's chat template puts there.

    A distribution over the vocabulary is computed where a span needs it, and once where texts begin
    alike. What no span needs, such as the last token of a sentence, is not passed at all. A
    tokenizer reads the texts once, however many checkpoints it serves.
    """

    last_layer = "normed"

    def __init__(self, task_set: TaskSet, bos: str = "", *, chat: bool = False) -> None:
        self.task_set, self.bos, self.chat = task_set, bos, chat
        self.name = task_set.source.name
        self.files = (f"competence/{self.name}.parquet",)
        self._tokenizer = ""

    def begin(self, opened: "Opened") -> Sequence[Sequence[int]]:
        if opened.model.get_output_embeddings() is None:
            raise InputError(
                f"competence.{self.name}: {type(opened.model).__name__} has no head that foretells "
                "the next token, so it can score no text. Leave its suite out, or `competence`"
            )
        tokenizer = _identity(opened.tokenizer)
        if tokenizer != self._tokenizer:
            self._prepare(opened)
            self._tokenizer = tokenizer
        self._check_lengths(opened.longest)
        self._opened: Opened | None = opened
        # One more than there are: the sum over no token.
        self._log_p = np.append(np.full(len(self._tokens), np.nan), 0.0)
        self._mass = np.full((len(self._tokens), 2), np.nan)
        self._open = self._asked.copy()
        self._arrivals = Arrivals()
        return self._inputs

    def keep(self, layer: int, inputs: Inputs, states: "Tensor") -> None:
        opened = self._opened
        if opened is None or layer != opened.layers[-1]:
            return
        beginnings = np.stack([self._paths[place] for place in inputs])
        rows, columns = np.nonzero(self._open[beginnings])
        asked, first = np.unique(beginnings[rows, columns], return_index=True)
        for start in range(0, len(asked), POSITIONS):
            part = slice(start, start + POSITIONS)
            own = states[rows[first[part]], columns[first[part]]]
            self._answer(asked[part], opened.head(own).float().log_softmax(dim=-1))
        self._open[asked] = False

    def end(self) -> None:
        self._opened = None  # or the model would outlive its turn
        self._arrivals.wait()
        log_p = np.add.reduceat(self._log_p[self._terms], self._firsts)
        log_p = np.where(self._table["tokens"] > 0, log_p, 0.0)
        if self._opening is not None:
            before, after, kind = self._borders
            log_p += np.where(self._is_word, self._mass[after, 0] - self._mass[before, kind], 0.0)
        self.spans = self._table.assign(log_p=log_p)

    def write(self, folder: Path, place: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
        own = {name: place[name] for name in ("model", "step")}
        write_table(self.spans.assign(**own), folder / self.files[0], "spans", provenance)

    def _prepare(self, opened: "Opened") -> None:
        """Tokens, and what is asked after which beginning, once a tokenizer."""
        texts = self.task_set.texts()
        head = opened.chat_head() if self.chat else _bos(opened.tokenizer, self.bos)
        tree, paths, ids = Beginnings(), list[Whole](), list[list[int]]()
        spans: list[_Place] = []
        told: list[str] = []
        read = opened.tokenize_with_places([text.text for text in texts])
        for text, (tokens, places, _) in zip(texts, read, strict=True):
            ids.append([*head, *tokens])
            paths.append(tree.add(ids[-1]))
            own = _places(text, places, paths[-1], len(head))
            spans += own
            told += opened.spell([tokens[place.tokens] for place in own])
            _check_something_is_predicted(text, ids[-1], self.name)
        self._where = [(len(own), text.where) for own, text in zip(ids, texts, strict=True)]
        self._tokens = tree.tokens
        words = any(text.words for text in texts)
        self._ask(spans, tree.parents, _openings(opened.tokenizer) if words else None)
        self._table["read"] = told
        self._choose(paths, ids)

    def _ask(self, spans: Sequence["_Place"], parents: Whole, opening: NDArray[Any] | None) -> None:
        """Lay out what is wanted: of which beginnings ln p, and after which a distribution."""
        wanted = [span.terms[parents[span.terms] > 0] for span in spans]
        lengths = np.array([len(terms) for terms in wanted], dtype=np.int64)
        self._firsts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        self._terms = np.concatenate([*wanted, [len(parents)]])
        self._table = pd.DataFrame([span.span[:3] for span in spans], columns=list(COLUMNS)).assign(
            tokens=lengths, unpredicted=[len(span.terms) for span in spans] - lengths
        )
        # Children of a beginning lie side by side in `_children`, from `_bounds` of it on.
        children = np.unique(self._terms[:-1])
        self._children = children[np.argsort(parents[children], kind="stable")]
        every = np.arange(len(parents) + 1)
        self._bounds = np.searchsorted(parents[self._children], every)
        self._asked = np.diff(self._bounds) > 0
        self._is_word = np.array([span.word for span in spans])
        self._opening = opening
        self._weighed = np.zeros(len(parents), dtype=bool)
        if self._opening is not None:
            first = np.array([span.terms[0] if len(span.terms) else 0 for span in spans])
            after = np.array([span.terms[-1] if len(span.terms) else 0 for span in spans])
            before = parents[first]
            self._borders = before, after, np.where(self._opening[self._tokens[first]], 0, 1)
            self._weighed[np.concatenate([before[self._is_word], after[self._is_word]])] = True
            self._weighed[0] = False  # nothing is known of what opens a text
            self._asked |= self._weighed

    def _choose(self, paths: Sequence[Whole], ids: Sequence[Sequence[int]]) -> None:
        """The inputs: each text as far as it is asked about, but none that begins another."""
        ends = [np.flatnonzero(self._asked[path])[-1] + 1 for path in paths]
        within = np.zeros(len(self._asked), dtype=bool)
        for path, end in zip(paths, ends, strict=True):
            within[path[: end - 1]] = True
        chosen: dict[int, int] = {}
        for place, (path, end) in enumerate(zip(paths, ends, strict=True)):
            if not within[path[end - 1]]:
                chosen.setdefault(int(path[end - 1]), place)
        self._paths = [paths[place][: ends[place]] for place in chosen.values()]
        self._inputs = [ids[place][: ends[place]] for place in chosen.values()]

    def _answer(self, asked: Whole, log_p: "Tensor") -> None:
        """Note what the distributions after some beginnings say of those that go on from them."""
        counts = self._bounds[asked + 1] - self._bounds[asked]
        rows = np.repeat(np.arange(len(asked)), counts)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        children = self._children[self._bounds[asked][rows] + within]
        named = log_p[rows, self._tokens[children]]
        self._arrivals.send(named, partial(setitem, self._log_p, children))
        weighed = self._weighed[asked]
        if self._opening is not None and weighed.any():
            kinds = np.zeros((log_p.shape[-1], 2), dtype=np.float32)
            kinds[: len(self._opening), 0] = self._opening
            kinds[:, 1] = 1 - kinds[:, 0]
            p = log_p[np.flatnonzero(weighed)].exp()
            mass = (p @ p.new_tensor(kinds)).log()
            self._arrivals.send(mass, partial(setitem, self._mass, asked[weighed]))

    def _check_lengths(self, longest: int | None) -> None:
        tokens, where = max(self._where)
        if longest is not None and tokens > longest:
            raise InputError(
                f"{where}: this text has {tokens} tokens, but the model takes at most {longest}. "
                "Shorten it, or leave it out"
            )


COLUMNS = ("task", "item_id", "part")


class _Place(NamedTuple):
    """A span, the beginnings that end with its tokens, and whether it is a word.

    `tokens` are those of the text from the end of the span before to its own.
    """

    span: Span
    terms: Whole
    word: bool
    tokens: slice


def _places(text: Text, places: Whole, path: Whole, head: int) -> list[_Place]:
    """Where in the `path` of a text, after `head` tokens, its spans lie."""
    # A token with no character of its own (a lone space) may come before all others.
    last = np.maximum.accumulate(np.maximum(places[:, 0], places[:, 1] - 1))
    found, before = [], 0
    for span in text.spans:
        start, stop = np.searchsorted(last, [span.start, span.stop])
        terms = path[head + start : head + stop]
        found.append(_Place(span, terms, text.words, slice(before, stop)))
        before = stop
    return found


def _check_something_is_predicted(text: Text, ids: Sequence[int], name: str) -> None:
    if not ids:
        raise InputError(f"{text.where}: {text.text!r} gives no token; fill it in")
    if len(ids) == 1:
        raise InputError(
            f"{text.where}: {text.text!r} is one token, which nothing comes before, so that it has "
            f"no probability. Give the suite a `bos`, or leave it out of competence.{name}"
        )


def _bos(tokenizer: Any, bos: str) -> list[int]:
    """The token that stands before every text."""
    if not bos:
        return []
    if bos not in tokenizer.get_vocab():
        raise InputError(
            f"`bos` of the suite is {bos!r}, which is no token of this tokenizer; its own are "
            f"{', '.join(tokenizer.all_special_tokens) or 'none'}"
        )
    return [tokenizer.convert_tokens_to_ids(bos)]


def _openings(tokenizer: Any) -> NDArray[np.bool_] | None:
    """Of every token, whether it says that a word is over: it opens another, or ends the text.

    Those that carry the space before a word; where none does, those that go on are marked (`##`).
    None where tokens are words, so that each is over at once.
    """
    names = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    opening = np.array([str(name).startswith(("Ġ", "▁", " ")) for name in names])
    if not opening.any():
        opening = np.array([not str(name).startswith("##") for name in names])
    if opening.all():
        return None
    opening[tokenizer.all_special_ids] = False
    if tokenizer.eos_token_id is not None:
        opening[tokenizer.eos_token_id] = True
    return opening


def _identity(tokenizer: Any) -> str:
    """The same for two tokenizers that give the same tokens."""
    if not tokenizer.is_fast:
        return f"{type(tokenizer)} {id(tokenizer)}"
    told = f"{tokenizer.backend_tokenizer.to_str()}{tokenizer.chat_template}"
    return hashlib.sha256(told.encode()).hexdigest()
