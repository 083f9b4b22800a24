"""What a claim is: everything that the judge, the calibration and the report ask of one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd

from geomod.curves.curves import Curves
from geomod.curves.estimates import rng_of
from geomod.curves.settings import Settings

Details = dict[str, Any]


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, and the test that its claim is judged by."""

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Finding:
    """What there is to say of a claim before it is judged."""

    estimate: Estimate | None
    note: str = ""  # why there is no estimate, or what is worth knowing of the one there is
    details: Details = field(default_factory=dict)
    against: str = ""  # which of the claim's own numbers contradict the side its estimate is on
    refuted: str = ""  # by what the claim is found false, where its own test could only support it


def _table(*columns: str) -> Callable[[], pd.DataFrame]:
    return lambda: pd.DataFrame(columns=list(columns))


@dataclass(frozen=True)
class Evidence:
    """All that a claim may look at."""

    curves: Sequence[Curves]
    settings: Settings = field(default_factory=Settings)
    seed: int = 0
    modules: pd.DataFrame = field(
        default_factory=_table("model", "step", "layer", "module", "agreement", "method")
    )
    emergence: pd.DataFrame = field(default_factory=_table("model", "region", "variability"))
    beside: bool = True  # whether to answer, too, what no verdict is taken from

    def rng(self, *names: str) -> np.random.Generator:
        """A generator of its own for every use."""
        return rng_of(self.seed, *names)


@dataclass(frozen=True)
class Truth:
    """What a simulated sweep has in it. Nothing is the null of most claims."""

    separation: float = 0.0  # height of the step between two modules, in units of the rise
    advantage: float = 0.0  # score of the lower module above the other, share of the plateau
    lead: float = 0.0  # decades by which temporal regions precede frontal ones
    coupling: float = 0.0  # Fisher z of curvature and score, sign of the paper turned positive
    growth: float = 0.0  # its increase per tenfold parameters
    position: float = 0.5  # of alignment between formal (0) and functional competence (1)
    gap: float = 0.8  # decades by which functional follows formal competence
    # What else a claim plants, done to the finished curves of every model.
    more: Callable[[Curves, np.random.Generator], Curves] | None = None


@dataclass(frozen=True)
class Trial:
    """A simulated sweep on which the tests that stand beside a verdict are tried."""

    curves: Sequence[Curves]
    finding: Finding
    settings: Settings
    rng: np.random.Generator  # one for all tests, in their order
    planted: bool
    rho: float  # of the scores' noise from step to step


@dataclass(frozen=True)
class OtherTest:
    """A test that is told of beside the verdict's, and calibrated with it."""

    name: str
    p: Callable[[Trial], float]
    null: str = "sweep"  # what was simulated, in a word


def in_details(name: str) -> OtherTest:
    """A test whose p the finding already has among its details."""
    return OtherTest(name, partial(_detail, name))


def _detail(name: str, trial: Trial) -> float:
    return float(trial.finding.details.get(name, np.nan))


@dataclass(frozen=True)
class Claim:
    """A claim of the paper: what it says, how it is found and judged, and when it is absent."""

    number: int
    name: str
    statement: str
    unit: str  # of the estimate
    direction: Literal[1, -1]  # the sign that the paper reports
    test: str  # the verdict's
    smallest: float  # an effect whose whole interval is smaller counts as absent
    find: Callable[[Evidence], Finding]
    absent: Truth  # in the sweeps on which the level of its tests is measured
    planted: Truth  # in those on which their power is
    others: tuple[OtherTest, ...] = ()
    metrics: tuple[str, ...] = ()  # whose variants change it
    quantity: str = ""  # its name in the specification curve; none: it stands in none
    of_responses: bool = True  # whether other responses to the same sentences would change it
    # Whether a simulated brain (truth.json) makes it true; None where that plants nothing of it.
    in_brain: Callable[[Mapping[str, Any]], bool] | None = None
    families: tuple[str, ...] = ()  # of competence; where no model has them it is not judged

    def askable(self, curves: Sequence[Curves]) -> bool:
        """Whether some model has the families of competence that it is about."""
        return not self.families or any(set(self.families) <= set(c.competence) for c in curves)

    @property
    def of_modules(self) -> bool:
        """Whether it depends on modules, which are made of entropy and curvature."""
        return {"entropy", "curvature"} <= set(self.metrics)
