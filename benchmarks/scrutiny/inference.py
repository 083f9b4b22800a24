"""Seconds from the tables of a sweep to the five claims, on the demo's grid and on the paper's.

    PYTHONPATH=workflow:. python benchmarks/scrutiny/inference.py

The tables are simulated (`geomod.scrutiny.synthetic`), the settings are those of a config that says
nothing.
Every stage runs once, one after the other, in one process.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.scrutiny.interval_coverage import GRIDS, REGIONS, SCATTER
from geomod.claims.claim import Truth
from geomod.claims.judge import claims
from geomod.coupling.paper import correlations
from geomod.curves.curves import gather
from geomod.curves.settings import Settings
from geomod.emergence.onsets import emergence
from geomod.modules.change_points import find_change_points
from geomod.modules.partition import find_modules
from geomod.scrutiny.synthetic import Design, Frame, as_tables, simulate

DEMO_STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
SIZES = {
    "demo": [("xs", 5e4, DEMO_STEPS, 2), ("s", 2e5, DEMO_STEPS, 3), ("m", 6e5, DEMO_STEPS, 4)],
    "paper": GRIDS["paper"],
}


def main() -> None:
    for name, grid in SIZES.items():
        design = Design(tuple(Frame(*row) for row in grid), REGIONS, 5, SCATTER, SCATTER, 0.1)
        truth = Truth(separation=1.0, advantage=0.5, lead=0.5, coupling=0.5)
        tables = as_tables(simulate(design, truth, np.random.default_rng(0)))
        geometry, encoding = tables["geometry"], tables["encoding"]
        seconds: dict[str, float] = {}

        def timed(stage: str, work: Callable[[], Any], seconds: dict[str, float] = seconds) -> Any:
            start = time.perf_counter()
            result = work()
            seconds[stage] = time.perf_counter() - start
            return result

        modules = timed("modules", lambda g=geometry: find_modules(g))
        timed("change points", lambda g=geometry: find_change_points(g))
        when = timed("emergence", lambda e=encoding: emergence(e))
        curves = gather(geometry, encoding, tables["models"])
        timed("correlations", lambda c=curves: correlations(c, Settings()))
        given = (geometry, encoding, modules, when, tables["models"])
        timed("claims", lambda given=given: claims(*given))
        shown = ", ".join(f"{stage} {value:.1f}" for stage, value in seconds.items())
        print(f"{name:6} {sum(seconds.values()):6.1f} s: {shown}", flush=True)


if __name__ == "__main__":
    main()
