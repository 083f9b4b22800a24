"""Runs side by side: the index of all runs in a folder, and two or more of them compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from geomod.base.errors import InputError
from geomod.base.files import whole
from geomod.base.seals import read_json
from geomod.report.findings import told
from geomod.report.gallery import Tables, claims_table


@dataclass(frozen=True)
class Run:
    """A run by its name, with the entries of its claims.json; `wrong` says why there are none."""

    name: str
    claims: Sequence[Mapping[str, Any]]
    wrong: str = ""


def runs_in(results: Path) -> list[Run]:
    """All runs in a folder whose claims were answered, by name."""
    return [_run(path) for path in sorted(results.glob("*/claims.json"))]


def _run(path: Path) -> Run:
    try:
        return Run(path.parent.name, read_json(path))
    except (InputError, OSError) as error:
        return Run(path.parent.name, [], str(error))


def verdicts(claims: Path) -> list[str]:
    """What a run has found, a line a claim, to be said at its end."""
    run = _run(claims)
    return [
        f"{claim['dataset']}: claim {claim['claim']}, {claim['name']}: {claim['verdict']}"
        for claim in run.claims
    ]


def to_open(claims: Path, page: Path, index: Path) -> str:
    """Where to look at the end of a run: at its page, if one was made of these claims."""
    known = page.exists() and page.stat().st_mtime >= claims.stat().st_mtime
    return f"Open {page}; all runs: {index}" if known else f"Open {index}, of all runs"


def write_index(results: str | Path, template: str | Path) -> None:
    """Write `index.html` beside the runs of a folder: the answers of each, and its report."""
    results = Path(results)
    page = side_by_side(Path(template), runs_in(results), title="Runs")
    with whole(results / "index.html") as temporary:
        temporary.write_text(page, encoding="utf-8")


def side_by_side(
    template: Path, runs: Sequence[Run], *, title: str, figures: Mapping[str, str] | None = None
) -> str:
    """A page with a row a run and dataset, a column a claim; `figures` are SVG by their titles."""
    from geomod.report.templates import fill_in

    rows = [row for run in runs for row in _rows(run)]
    questions = {c["claim"]: c["question"] for row in rows for c in row["answers"].values()}
    return fill_in(
        template,
        title=title,
        questions=dict(sorted(questions.items())),
        rows=rows,
        figures=figures or {},
    )


def _rows(run: Run) -> list[dict[str, Any]]:
    if run.wrong:
        return [{"run": run.name, "dataset": "", "answers": {}, "wrong": run.wrong}]
    answers = told(run.claims, None)
    datasets = dict.fromkeys(answer["dataset"] for answer in answers)
    return [
        {
            "run": run.name,
            "dataset": dataset,
            "answers": {a["claim"]: a for a in answers if a["dataset"] == dataset},
            "wrong": "",
        }
        for dataset in datasets
    ]


def compare(template: Path, runs: Mapping[str, tuple[Sequence[Mapping[str, Any]], Tables]]) -> str:
    """The page that sets runs side by side, of the claims and tables (`encoding`) of each.

    Its figures are the claims of all runs in one forest, and the network's score over training.
    """
    found = [Run(name, claims) for name, (claims, _) in runs.items()]
    figures = {
        "The claims": _drawn("forest", {"every_claim": every_claim(found)}),
        "Encoding score over training": _drawn(
            "courses", {name: tables["encoding"] for name, (_, tables) in runs.items()}
        ),
    }
    title = " beside ".join(runs)
    return side_by_side(template, found, title=title, figures=figures)


def every_claim(runs: Sequence[Run]) -> pd.DataFrame:
    """The claims of all runs as the forest reads them, each named by its run and dataset."""
    tables = [claims_table(run.claims).assign(run=run.name) for run in runs]
    table = pd.concat(tables, ignore_index=True)
    return table.assign(of=table["run"] + ", " + table["dataset"].astype(str))


def _drawn(name: str, tables: Tables) -> str:
    """A figure as SVG text."""
    from geomod.report.figures import drawn_by
    from geomod.report.plates.judged import forest
    from geomod.report.plates.scores import courses

    with TemporaryDirectory() as folder:
        path = Path(folder) / "figure.svg"
        drawn_by({"forest": forest, "courses": courses}[name], tables, path)
        return path.read_text(encoding="utf-8")
