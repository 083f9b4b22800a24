"""Where a number comes from: the code and the checkpoints behind it."""

from typing import Any


def of_checkpoint(checkpoint: Any) -> dict[str, str]:
    """What identifies the weights behind a number, as text that any header can hold."""
    names = ("revision", "commit", "sha256", "tokenizer_sha256")
    return {name: str(getattr(checkpoint, name)) for name in names}
