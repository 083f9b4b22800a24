"""What each layer already expects of the next token, were it the last one (the logit lens).

At layer l the model's own final norm and unembedding make a distribution q = softmax(W norm(x_l))
of every state that predicts a token; at the last layer it is the model's output p. nostalgebraist
2020. Nothing is trained, so that a layer that keeps what it knows in other directions than the last
one looks ignorant, and early in training so does every layer: `kl` to the output is then the fair
column.
"""

import logging
import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.base.arrivals import Arrivals
from geomod.base.errors import InputError
from geomod.base.tables import write_table
from geomod.models.reading import Inputs, Reading, Settings, reading, reading_of
from geomod.models.sentences import Sentences

if TYPE_CHECKING:
    from torch import Tensor, nn

    from geomod.models.forward import Opened

log = logging.getLogger(__name__)

SIZES = ("parameters", "vocabulary")  # of a model, in tables of its own
MEASURES = ["surprisal", "entropy", "kl", "top1"]
# Rows, a position at a layer each, whose distributions are worked on at once, and tokens of the
# vocabulary: their logits, 6 MB, then stay in the cache, and no distribution over all tokens ever
# lies in memory.
ROWS, TOKENS = 3072, 512
LOG2_E = math.log2(math.e)
# How near the states of the last layer come to the model's logits, where the lens is the right one,
# in shares of the largest: low precision rounds.
NEAR = 1e-2


@reading("lens")
class Lens(Reading):
    """Surprisal, entropy, KL to the output and top-1 agreement of every unit at every layer.

    `stimuli` and `settings` are those of `units`, which makes the reading whose units these are:
    `Sentences`, `Passages`, or a `Story` that knows its words and rows. Read together with it the
    inputs pass through the model once. After a pass `values` [layers, units, 4] holds the means
    over a unit's predicted tokens, and `table` those over units.
    """

    files = ("lens.parquet",)
    logits = True

    def __init__(
        self,
        stimuli: pd.DataFrame,
        settings: Settings = Settings(),  # noqa: B008
        units: Callable[[pd.DataFrame, Settings], Sentences] = Sentences,
    ) -> None:
        self.units = units(stimuli, settings)

    @classmethod
    def of(cls, folder: Path, settings: Settings, how: Mapping[str, Any]) -> "Lens":
        lens = cls.__new__(cls)
        lens.units = cast(Sentences, reading_of(how["reading"]).of(folder, settings, how))
        return lens

    def begin(self, opened: "Opened") -> Sequence[Sequence[int]]:
        ids, spans = self.units.locate(opened)
        # The unit whose token each token of an input is, −1 where it is nobody's.
        self._owners = [np.full(len(tokens), -1) for tokens in ids]
        for unit, (place, start, stop) in enumerate(zip(*spans, strict=True)):
            self._owners[place][start:stop] = unit
        self._asked = Asked.of(ids, self._owners)
        self._done = np.zeros(len(self._asked.starts), dtype=bool)  # prefixes; the last is none
        self._lost = np.zeros(len(spans.inputs), dtype=bool)  # units whose states are not finite
        self._layers = len(opened.layers)
        self._sums = np.zeros((self._layers, len(spans.inputs), len(MEASURES)))
        self._counts = np.zeros(len(spans.inputs))
        self._states: dict[int, Tensor] = {}
        self._arrivals = Arrivals()
        self._lens = find_lens(opened, ids[0][:1])
        return ids

    def keep(self, layer: int, inputs: Inputs, states: "Tensor") -> None:
        # The last token predicts none, and the last layer is the model's own.
        if self._lens is not None and layer < self._layers - 1:
            self._states[layer] = states[:, :-1].clone()

    def predict(self, inputs: Inputs, ids: "Tensor", logits: "Tensor") -> None:
        import torch  # here, so that planning the jobs need not wait for it

        if self._lens is None:
            return
        # One logit tells: what is not finite at a layer makes all of the output so.
        finite = logits[:, :-1, 0].isfinite().cpu().numpy()
        owners = np.stack([self._owners[place][1:] for place in inputs])
        self._lost[owners[~finite & (owners >= 0)]] = True

        prefixes = np.stack([self._asked.prefixes[place] for place in inputs])
        places = np.argwhere(finite & (owners >= 0) & ~self._done[prefixes])
        new, met = np.unique(prefixes[tuple(places.T)], return_index=True)
        self._done[new] = True
        places = places[met]
        read = ids.cpu().numpy()[tuple(places.T)]
        places = places[np.argsort(read, kind="stable")]  # those of the same token together
        count = -(-len(places) * len(self._states) // ROWS)  # of about equal parts
        for part in np.array_split(places, count) if count else ():
            rows, owners, targets = self._asked.by(prefixes[tuple(part.T)])
            row, token, at, target = (
                torch.as_tensor(each, device=logits.device) for each in (*part.T, rows, targets)
            )
            states = [
                states[row.to(states.device), token.to(states.device)]
                for _, states in sorted(self._states.items())
            ]
            output = logits[row, token].float()
            values = look(self._lens, states, output, ids[row, token], (at, target))
            self._arrivals.send(values, partial(self._add, owners))

    def _add(self, owners: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """The measures of some tokens, `values` [layers, tokens, 4], to those of their `owners`."""
        for sums, own in zip(self._sums, values, strict=True):
            np.add.at(sums, owners, own)
        np.add.at(self._counts, owners, 1)

    def end(self) -> None:
        self._arrivals.wait()
        self._states.clear()
        counts = np.where((self._counts > 0) & ~self._lost, self._counts, np.nan)
        self.values = self._sums / counts[:, None]
        finite = np.asarray(np.isfinite(self.values).all(axis=2))
        count = finite.sum(axis=1, keepdims=True)
        total = np.where(finite[..., None], self.values, 0).sum(axis=1)
        rows = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        self.table = pd.DataFrame(rows, columns=MEASURES)
        self.table.insert(0, "layer", np.arange(self._layers, dtype=np.int64))
        self.table["n"] = finite.sum(axis=1)

    def write(self, folder: Path, place: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
        own = {name: value for name, value in place.items() if name not in SIZES}
        write_table(self.table.assign(**own), folder / self.files[0], "lens", provenance)


@dataclass(frozen=True)
class Asked:
    """What is asked of the states after every prefix, which is what a text says up to a token.

    A causal model has the same states after the same prefix, whatever follows, so that each needs
    to be looked at once. `prefixes` has, for every token of a text but the last, the number of the
    prefix that ends there, −1 where nothing is asked of it. What is asked is in the order of the
    prefixes, that of prefix k from starts[k] to starts[k + 1]: the next token, `targets`, and the
    unit whose token that is, `owners`.
    """

    prefixes: list[NDArray[np.int64]]
    starts: NDArray[np.int64]
    owners: NDArray[np.int64]
    targets: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]], owners: Sequence[NDArray[np.int64]]) -> "Asked":
        """`owners` are those of every token of every text, −1 where it is nobody's."""
        after = np.concatenate([numbers[:-1] for numbers in number_prefixes(texts)])
        owner = np.concatenate([each[1:] for each in owners])
        target = np.concatenate([np.asarray(tokens[1:], dtype=np.int64) for tokens in texts])
        known = np.flatnonzero(owner >= 0)
        _, prefix = np.unique(after[known], return_inverse=True)
        order = np.argsort(prefix, kind="stable")
        starts = np.searchsorted(prefix[order], np.arange(prefix.max(initial=-1) + 2))
        prefixes = np.full(len(after), -1)
        prefixes[known] = prefix
        ends = np.cumsum([max(0, len(tokens) - 1) for tokens in texts])
        those = known[order]
        return cls(np.split(prefixes, ends[:-1]), starts, owner[those], target[those])

    def by(
        self, prefixes: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """What is asked of `prefixes`: which of these it is asked of, the owners, the targets."""
        counts = self.starts[prefixes + 1] - self.starts[prefixes]
        rows = np.repeat(np.arange(len(prefixes)), counts)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        those = self.starts[prefixes][rows] + within
        return rows, self.owners[those], self.targets[those]


def number_prefixes(texts: Sequence[Sequence[int]]) -> list[NDArray[np.int64]]:
    """A number for what every text says up to each of its tokens, the same where that is."""
    known: dict[tuple[int, int], int] = {}  # by the number up to the token before, and the token
    numbers = []
    for tokens in texts:
        own, number = np.empty(len(tokens), dtype=np.int64), -1
        for place, token in enumerate(tokens):
            own[place] = number = known.setdefault((number, token), len(known))
        numbers.append(own)
    return numbers


class Unembedding(NamedTuple):
    """What makes logits of a state: weight · norm(x) + bias."""

    norm: Callable[["Tensor"], "Tensor"]
    weight: "Tensor"
    bias: "Tensor | None"

    def logits(self, normed: "Tensor", tokens: slice, out: "Tensor | None" = None) -> "Tensor":
        """Those of some tokens, of states [positions, width] that went through the norm."""
        import torch

        weight = self.weight[tokens].T
        if self.bias is None:
            return torch.mm(normed, weight, out=out)
        return torch.addmm(self.bias[tokens], normed, weight, out=out)


class Sums:
    """Sums over the vocabulary of distributions [rows], gathered as it passes by: from the largest
    logit m, Σ e^{z−m} and Σ e^{z−m} z. `found` are the logits of some `tokens` at some rows, `at`.
    """

    def __init__(self, rows: int, at: "Tensor", tokens: "Tensor") -> None:
        import torch

        device = tokens.device
        self.found = torch.zeros(tokens.shape, device=device)
        self.most = torch.full((rows,), -torch.inf, device=device)
        self.mass, self.moment = self.most.new_zeros((2, rows), dtype=torch.float64)
        # In the order of the vocabulary, of which any part has few.
        self._tokens, self._places = tokens.sort()
        self._rows, self._sorted = at[self._places], self._tokens.tolist()

    def add(self, part: slice, z: "Tensor", room: "Tensor") -> None:
        """Logits z [rows, tokens] of a part, float32; `room` is of their shape, to work in."""
        import torch

        those = slice(*(bisect_left(self._sorted, end) for end in (part.start, part.stop)))
        rows, tokens = self._rows[those], self._tokens[those] - part.start
        self.found[self._places[those]] = z[rows, tokens]
        largest = torch.maximum(self.most, z.amax(dim=1))
        shrunk = (self.most - largest).exp()
        weights = exp_(torch.sub(z, largest[:, None], out=room))
        self.mass = self.mass * shrunk + weights.sum(dim=1)
        self.moment = self.moment * shrunk + weights.mul_(z).sum(dim=1)
        self.most = largest

    @property
    def normalizer(self) -> "Tensor":
        """ln Σ e^z."""
        return self.mass.log() + self.most

    @property
    def entropy(self) -> "Tensor":
        return self.normalizer - self.moment / self.mass


def look(
    lens: Unembedding,
    states: Sequence["Tensor"],
    output: "Tensor",
    read: "Tensor",
    asked: tuple["Tensor", "Tensor"],
) -> "Tensor":
    """MEASURES [layers, asked, 4] of states [positions, width] of the layers, then the output.

    `output` [positions, vocabulary] are the model's logits, float32, whose distribution is p; q is
    that of a layer. −ln q(target); −Σ q ln q; Σ p (ln p − ln q); whether the likeliest token of p
    is q's too. Nats. `asked` are positions, which may repeat, and their targets, and `read` the
    tokens at the positions, those that are the same together.
    """
    import torch

    device, (positions, vocabulary), layers = output.device, output.shape, len(states)
    parts = [slice(k, min(k + TOKENS, vocabulary)) for k in range(0, vocabulary, TOKENS)]
    room = output.new_empty((layers * positions, parts[0].stop))
    at, targets = asked

    final = Sums(positions, at, targets)
    for part in parts:
        own = output[:, part]
        final.add(part, own, room[:positions, : own.shape[1]])

    # The layers' rows as those of one matrix, which are many enough for a processor to work at.
    rows, where = distinct(states, read)
    normed = torch.cat([lens.norm(each) for each in rows])
    where = where.to(device)  # [layers, positions]
    made = lens.weight.new_empty((len(normed), parts[0].stop))
    named = torch.cat([targets, output.argmax(dim=1)]).repeat(layers)
    every = Sums(len(normed), torch.cat([where[:, at], where], dim=1).flatten(), named)
    crossed = final.mass.new_zeros((layers, positions))  # Σ p z
    reference = final.normalizer.float()[:, None]
    for part in parts:
        own = output[:, part]
        z = lens.logits(normed, part, made[:, : own.shape[1]]).float().to(device)
        every.add(part, z, room[: len(z), : own.shape[1]])
        p = exp_(own - reference)
        z = torch.index_select(z, 0, where.flatten(), out=room[:, : own.shape[1]])
        crossed += z.view(layers, *p.shape).mul_(p).sum(dim=2)

    found, best = every.found.view(layers, -1).tensor_split([len(targets)], dim=1)
    kl = (every.normalizer[where] - crossed - final.entropy).clamp(min=0)
    measures = [
        every.normalizer[where[:, at]] - found,
        every.entropy[where[:, at]],
        kl[:, at],
        (best >= every.most[where]).double()[:, at],
    ]
    surprisal, entropy = final.normalizer[at] - final.found, final.entropy[at]
    last = [surprisal, entropy, torch.zeros_like(entropy), torch.ones_like(entropy)]
    return torch.cat([torch.stack(measures, dim=2), torch.stack(last, dim=1)[None]])


def distinct(states: Sequence["Tensor"], read: "Tensor") -> tuple[list["Tensor"], "Tensor"]:
    """States [rows, width] of the layers without repeats, and the row among those of all layers
    that each position has, [layers, positions].

    Where all positions of the same token, which are next to each other, have the same state at a
    layer, it stands once for all: so have they at the embedding output, but in a model that adds
    where a token stands.
    """
    import torch

    _, of, counts = read.unique_consecutive(return_inverse=True, return_counts=True)
    first = counts.cumsum(dim=0) - counts
    rows, where, start = [], [], 0
    for own in states:
        few = own[first.to(own.device)]
        same = torch.equal(few[of.to(own.device)], own)
        rows.append(few if same else own)
        where.append(start + (of if same else torch.arange(len(own), device=of.device)))
        start += len(rows[-1])
    return rows, torch.stack(where)


def exp_(x: "Tensor") -> "Tensor":
    """e^x in place, as a power of 2, which processors find in less than half of the time."""
    return x.mul_(LOG2_E).exp2_()


def find_lens(opened: "Opened", ids: Sequence[int]) -> Unembedding | None:
    """The model's final norm and unembedding; none for a model without a head.

    The norm is the one module outside the blocks with which the last block's output gives the
    model's logits of `ids`, to the rounding of the model's precision. A model whose logits are made
    in another way (scaled or capped afterwards) has no lens.
    """
    import torch

    model, raw = opened.model, []
    head = model.get_output_embeddings()
    if head is None:
        return None

    def listen(_: "nn.Module", __: Any, output: Any) -> None:
        raw.append(output[0] if isinstance(output, tuple) else output)

    device = model.get_input_embeddings().weight.device
    with torch.inference_mode():
        handle = opened.blocks[-1].register_forward_hook(listen)
        try:
            logits = model(input_ids=torch.tensor([list(ids)], device=device)).logits
        finally:
            handle.remove()
        largest = logits.abs().max()
        for norm in norms_of(opened):
            lens = Unembedding(norm, head.weight, getattr(head, "bias", None))
            found = lens.logits(norm(raw[0])[0], slice(None)).to(logits.device)
            # A diverged checkpoint tells nothing; then the first norm it is.
            if not torch.isfinite(largest) or (found - logits).abs().max() <= NEAR * largest:
                return lens
    raise InputError(
        f"features.lens: the logits of {type(model).__name__} are not its unembedding of its final "
        "norm of the last block's output, so that there is no telling what another layer's would "
        "be; set it to false for this model"
    )


def norms_of(opened: "Opened") -> Iterator[Callable[["Tensor"], "Tensor"]]:
    """The norms outside the blocks, the last first, and at last none."""
    inside = {module for block in opened.blocks for module in block.modules()}
    outside = [module for module in opened.model.modules() if module not in inside]
    yield from (
        module
        for module in reversed(outside)
        if "norm" in type(module).__name__.lower() and not list(module.children())
    )
    yield lambda states: states
