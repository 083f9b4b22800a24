"""False-positive rate and power of every reported test, on a small grid or on the paper's.

PYTHONPATH=workflow:. python benchmarks/scrutiny/calibration.py --grid paper --jobs 2
"""

import argparse

from benchmarks.scrutiny.interval_coverage import GRIDS, design_of
from geomod.scrutiny.calibration import calibrate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", default="small", choices=list(GRIDS))
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    table = calibrate(design_of(options.grid), draws=options.draws, jobs=options.jobs)
    print(table.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
