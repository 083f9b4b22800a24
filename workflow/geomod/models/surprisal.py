"""How well a language model foresees each token of a text."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# Positions whose distributions over the vocabulary lie in memory at once: 100 MB for Pythia's.
POSITIONS = 512


def surprisal(logits: "Tensor", ids: "Tensor") -> "Tensor":
    """−ln p of every token but the first given those before, and the entropy of that p; nats.

    `logits` [texts, tokens, vocabulary] are those of texts `ids` [texts, tokens] of one length; the
    result is [texts, tokens − 1, 2] in float32.
    """
    import torch  # here, so that planning the jobs need not wait for it

    vocabulary, predicted = logits.shape[-1], ids.shape[1] - 1
    if not ids.numel() or not predicted:
        return logits.new_empty((len(ids), predicted, 2), dtype=torch.float32)
    if logits.device.type == "cpu" and len(ids) > 1:  # a text at a time stays in the cache
        return torch.cat(
            [surprisal(*own) for own in zip(logits.split(1), ids.split(1), strict=True)]
        )
    # On a GPU few large pieces of work; to start one takes longer than a text does.
    rows, targets = logits[:, :-1].reshape(-1, vocabulary), ids[:, 1:].reshape(-1, 1)
    found = []
    for own, named in zip(rows.split(POSITIONS), targets.split(POSITIONS), strict=True):
        log_p = own.float().log_softmax(dim=-1)
        entropy = -(log_p.exp() * log_p).sum(dim=-1)
        found.append(torch.stack([-log_p.gather(1, named)[:, 0], entropy], dim=1))
    return torch.cat(found).view(len(ids), predicted, 2)
