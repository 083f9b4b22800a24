"""What the jobs of a run took: time and memory, as Snakemake's `benchmark:` wrote them down."""

from pathlib import Path

import pandas as pd

COLUMNS = ["stage", "job", "seconds", "peak_mb", "cpu"]


def read_benchmarks(run: str | Path) -> pd.DataFrame:
    """A row for each job of the run in the folder `run` that has ended, by stage and job.

    seconds   from its start to its end, s
    peak_mb   the most memory that it was seen to hold, MB: looked at twice a second for 15 s, then
              every 30 s. NaN where a job was over before it was looked at
    cpu       s of CPU up to the last look; NaN likewise

    A job that ran again has its last run here. Nothing depends on these files: a run without them
    is complete.
    """
    folder = Path(run) / "benchmarks"
    rows = [
        [path.relative_to(folder).parts[0], _job(path, folder), *_measured(path)]
        for path in sorted(folder.rglob("*.tsv"))
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _job(path: Path, folder: Path) -> str:
    return "/".join(path.relative_to(folder).with_suffix("").parts[1:])


def _measured(path: Path) -> list[float]:
    found = pd.read_csv(path, sep="\t", na_values="-").iloc[-1]
    return [float(found[name]) for name in ("s", "max_rss", "cpu_time")]
