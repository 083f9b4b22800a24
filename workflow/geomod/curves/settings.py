"""The choices that were made before any result was seen; docs/statistics.md says why."""

from dataclasses import dataclass, replace


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

    @property
    def quick(self) -> "Settings":
        """Fewer random draws: of many sweeps p need only be known well enough to compare with α."""
        most = {"permutations": 399, "bootstrap": 100, "null_draws": 99}
        fewer = {name: min(getattr(self, name), number) for name, number in most.items()}
        return replace(self, **fewer)
