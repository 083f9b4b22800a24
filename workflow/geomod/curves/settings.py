"""The choices that were made before any result was seen; docs/statistics.md says why."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What all tests are told. The only place with these defaults: a config's `inference` too
    takes them from here.
    """

    alpha: float = 0.05
    permutations: int = 2000
    bootstrap: int = 500
    null_draws: int = 200
    temporal: tuple[str, ...] = ("AntTemp", "PostTemp")
    frontal: tuple[str, ...] = ("IFG", "IFGorb")
    network: tuple[str, ...] = ("netw",)
