"""What was told and when, and how it becomes a row a TR: keys of the config's section `story`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Downsample = Literal["lanczos", "mean", "sum", "last"]


@dataclass(frozen=True)
class Settings:
    """Where the words of the stories are, when the brain was measured, and what is made of both.

    `words` is one table, or a file a story with `{story}` in its name (words.py). `tr`, `start` and
    `trim` say which second of the story each row of a scan belongs to (timing.py); a mapping gives
    each story its own. The others are of the forward pass: the tokens of a window, the way down to
    TRs, whether words are centred before, and how many words make a unit of the geometry where the
    table of words has no column `sentence`.
    """

    words: str = ""
    tr: float = 2.0
    start: float | Mapping[str, float] = 0.0
    trim: Sequence[int] | Mapping[str, Sequence[int]] = (0, 0)
    stories: Sequence[str] = ()  # none: all that are found
    columns: Mapping[str, str] = field(default_factory=dict)
    tier: str = ""
    lowercase: bool = False
    context_tokens: int = 512
    downsample: Downsample = "lanczos"
    centre: bool = True
    span_words: int = 12
