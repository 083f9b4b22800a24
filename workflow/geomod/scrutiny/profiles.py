"""Models of which it is known whether complexity steps over depth: the controls of claim 1.

That claim is about geometry alone, so that no response can plant it. Its controls are profiles over
depth: in each metric those of the run's own trained models, a smooth trend and a scatter about it.
`graded` keeps the trend, `stepped` puts two levels in its place, as far apart as the trend reaches,
with the boundary between the halves. Every draw has new scatter.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geomod.coupling.within_depth import depth_degree, within_depth
from geomod.curves.curves import HEADLINE, Curves, mean_ignoring_nan
from geomod.curves.estimates import rng_of
from geomod.modules.steps import FEWEST_LAYERS, REDRAWN, complexity, heights

Array = NDArray[np.float64]

STEPPED, GRADED = "stepped", "graded"
PROFILES = (STEPPED, GRADED)


@dataclass(frozen=True)
class Profile:
    """Smooth trend [blocks, metrics] of a trained model over depth, and SD of the scatter about it.

    Blocks that were not measured are NaN.
    """

    trend: Array
    scatter: Array  # [metrics]

    @property
    def reach(self) -> Array:
        """From the least to the most of the trend [metrics]."""
        return np.asarray(np.nanmax(self.trend, axis=0) - np.nanmin(self.trend, axis=0))

    def levels(self) -> Array:
        """Two levels [blocks, metrics] as far apart as the trend reaches, shallow blocks high."""
        known = np.isfinite(self.trend[:, 0])
        shallow = np.cumsum(known) <= known.sum() // 2
        return np.where(known, shallow, np.nan)[:, None] * self.reach

    def draw(self, kind: str, rng: np.random.Generator) -> Array:
        """A profile [blocks, metrics] of the kind, with new scatter."""
        mean = self.levels() if kind == STEPPED else self.trend
        return mean + self.scatter * rng.standard_normal(mean.shape)

    def height(self) -> float:
        """Of the step, in scatters: what claim 1 finds on average, over logarithms."""
        rng, known = np.random.default_rng(len(self.trend)), np.isfinite(self.trend[:, 0])
        clouds = np.array([self.draw(STEPPED, rng)[known] for _ in range(REDRAWN)])
        return float(np.exp(np.log(heights(complexity(clouds))).mean()))


def profile_of(curves: Curves) -> Profile | None:
    """Of the metrics of the trained model; None where they are too few or do not vary."""
    cloud = np.stack(
        [mean_ignoring_nan(curves.metrics[name][curves.trained], axis=0) for name in HEADLINE],
        axis=-1,
    )
    known = np.isfinite(cloud).all(axis=1)
    if known.sum() < FEWEST_LAYERS:
        return None
    left = within_depth(cloud[known].T).T
    freedom = known.sum() - depth_degree(int(known.sum())) - 1
    scatter = np.sqrt((left**2).sum(axis=0) / freedom)
    if not scatter.all():
        return None
    trend = np.full_like(cloud, np.nan)
    trend[known] = cloud[known] - left
    return Profile(trend, scatter)


def drawn(real: Sequence[Curves], kind: str, draw: int, seed: int) -> tuple[list[Curves], float]:
    """The models with profiles of the kind, and the mean height that was planted (NaN: none).

    Models without a profile are left out. The mean is that of claim 1, over logarithms.
    """
    found, heights = [], []
    for c in real:
        profile = profile_of(c)
        if profile is None:
            continue
        cloud = profile.draw(kind, rng_of(seed, "control", kind, c.model, draw))
        metrics = {
            name: np.where(c.trained[:, None], column, c.metrics[name])
            for name, column in zip(HEADLINE, cloud.T, strict=True)
        }
        found.append(replace(c, metrics={**c.metrics, **metrics}))
        heights.append(profile.height())
    if kind != STEPPED or not heights:
        return found, np.nan
    return found, float(np.exp(np.mean(np.log(heights))))
