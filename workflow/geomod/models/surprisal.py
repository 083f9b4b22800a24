"""How well a language model foresees each token of a text."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# Positions whose distributions over the vocabulary lie in memory at once: 100 MB for Pythia's.
POSITIONS = 512


def surprisal(logits: "Tensor", ids: "Tensor") -> tuple["Tensor", "Tensor"]:
    """−ln p of every token but the first given those before, and the entropy of that p; nats.

    `logits` [tokens, vocabulary] are those of the text `ids` [tokens]; both results are
    [tokens − 1] in float32.
    """
    import torch  # here, so that planning the jobs need not wait for it

    surprisals, entropies = [], []
    for start in range(0, len(ids) - 1, POSITIONS):
        stop = min(start + POSITIONS, len(ids) - 1)
        log_p = logits[start:stop].float().log_softmax(dim=-1)
        surprisals.append(-log_p.gather(1, ids[start + 1 : stop + 1, None])[:, 0])
        entropies.append(-(log_p.exp() * log_p).sum(dim=-1))
    if not surprisals:
        return logits.new_empty(0), logits.new_empty(0)
    return torch.cat(surprisals), torch.cat(entropies)
