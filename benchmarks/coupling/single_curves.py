"""What looks right and is not: how often tests of two unrelated S-shaped curves find something.

    PYTHONPATH=workflow:. python benchmarks/coupling/single_curves.py --grid paper --draws 100
    PYTHONPATH=workflow:. python benchmarks/coupling/single_curves.py --tables results/demo/tables

The tests that no table or claim has, on the curves of the calibration (`independent curves`), whose
table has the others. With `--tables` the grid and the noise are those of a finished run.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.scrutiny.interval_coverage import GRIDS, design_of
from geomod.base.tables import read_table
from geomod.coupling.within_depth import partial_correlation
from geomod.curves.curves import gather
from geomod.curves.sound import sound
from geomod.scrutiny.calibration import curves_of_draw
from geomod.scrutiny.designs import design_like
from geomod.scrutiny.synthetic import Design

Array = NDArray[np.float64]


def spearman_p(x: Array, y: Array, time: Array) -> float:
    """Spearman over steps, as if steps were independent."""
    return float(stats.spearmanr(x, y).pvalue)


def cubic_p(x: Array, y: Array, time: Array) -> float:
    """Partial Pearson given a cubic in log10(step + 1)."""
    return partial_correlation(x, y, np.vander(time, 4)[:, :3])[1]


def differences_p(x: Array, y: Array, time: Array) -> float:
    """Pearson of first differences."""
    return float(stats.pearsonr(np.diff(x), np.diff(y)).pvalue)


TESTS: dict[str, Callable[[Array, Array, Array], float]] = {
    "Spearman over steps": spearman_p,
    "partial Pearson given a cubic in log step": cubic_p,
    "first differences": differences_p,
}


def levels(design: Design, draws: int, seed: int = 0) -> dict[str, float]:
    """The share of unrelated pairs of curves, of those with a p, in which it is at most .05."""
    found = []
    for draw in range(draws):
        time, (x, y), _ = curves_of_draw(design, seed, draw, planted=False)
        found.append([p_of(x[:, 0], y[:, 0], time) for p_of in TESTS.values()])
    known = {
        test: each[np.isfinite(each)] for test, each in zip(TESTS, np.array(found).T, strict=True)
    }
    return {test: float((p <= 0.05).mean()) if len(p) else np.nan for test, p in known.items()}


def design_of_run(tables: Path) -> Design:
    """The grid and the noise of a run, from its folder of tables."""
    names = ("geometry", "encoding", "continuity", "tokens")
    geometry, encoding, checkpoints, tokens = (read_table(tables / f"{n}.parquet") for n in names)
    models = tokens[["model", "parameters"]].drop_duplicates()
    return design_like(gather(sound(geometry, checkpoints), sound(encoding, checkpoints), models))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", default="small", choices=list(GRIDS))
    parser.add_argument("--tables", type=Path, help="of a finished run, in place of a grid")
    parser.add_argument("--draws", type=int, default=200)
    options = parser.parse_args()
    design = design_of_run(options.tables) if options.tables else design_of(options.grid)
    for test, level in levels(design, options.draws).items():
        print(f"{level:.3f}  {test}")


if __name__ == "__main__":
    main()
