"""Time the ridge engine beside its peers, on the same rows, folds, penalties and threads.

    python benchmarks/ridge/ridge.py                  # print the table, write the CSV and the docs
    python benchmarks/ridge/ridge.py --smoke          # small: check that all agree, time nothing
    python benchmarks/ridge/ridge.py --only voxels --widths 2048 --repeats 3

Each job runs in a process of its own for each number of threads, engine and peer in turn within
one loop, so that whatever else the machine does falls on both. The medians and their ratio are
reported. What takes more than SLOW seconds is run once. Rows measured before stay in the table
until they are measured again.
"""

import argparse
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
RESPONSES = ROOT.parent / "shared" / "data" / "tuckute2024" / "roi_responses_lh.csv"
CSV = ROOT / "benchmarks" / "ridge" / "ridge.csv"
PAGE = ROOT / "docs" / "performance.md"
MARKS = ("<!-- ridge: begin -->", "<!-- ridge: end -->")

ALPHAS = np.logspace(-2, 8, 21)
WIDTHS = (512, 768, 1024, 2048)
FEWER_WIDTHS = {
    "steep": (512, 2048),
    "voxels": (512, 2048),
    "layers": (1024,),
}  # of jobs that take long
SLOW = 60.0
Array = NDArray[np.float32]
Run = Callable[[Array, Array], NDArray[np.float64]]  # features, responses → r [folds, targets]


@dataclass(frozen=True)
class Row:
    job: str
    against: str
    width: int
    threads: int
    engine_s: float
    peer_s: float
    ratio: float  # how many times faster the engine is
    runs: str  # engine's and peer's
    r_difference: float  # the largest, over folds and targets
    engine_peak_mb: float  # memory of the process above its data, at its highest


KINDS: dict[str, Callable[[str], Any]] = get_type_hints(Row)


def engine(**settings: Any) -> Run:
    from geomod.ridge.engine import encode

    return lambda x, y: encode(x, y, alphas=ALPHAS, **settings).r[0]


def one_by_one(layers: Array, y: Array) -> NDArray[np.float64]:
    from geomod.ridge.engine import encode

    return np.stack([encode(x, y, alphas=ALPHAS).r[0] for x in layers])


def in_one_batch(layers: Array, y: Array) -> NDArray[np.float64]:
    from geomod.ridge.engine import encode

    return encode(layers, y, alphas=ALPHAS).r


def peer(fit_predict: Callable[[Array, Array, Array], NDArray[np.floating]]) -> Run:
    """Outer folds and standardization around a peer's own inner cross-validation."""
    from sklearn.model_selection import KFold
    from sklearn.preprocessing import StandardScaler

    def run(x: Array, y: Array) -> NDArray[np.float64]:
        r = []
        for train, test in KFold(5, shuffle=True, random_state=0).split(x):
            scaler = StandardScaler().fit(x[train])
            predicted = fit_predict(scaler.transform(x[train]), y[train], scaler.transform(x[test]))
            a, b = predicted - predicted.mean(axis=0), y[test] - y[test].mean(axis=0)
            r.append((a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0)))
        return np.array(r, dtype=np.float64)

    return run


def himalaya(backend: str) -> Run:
    from himalaya.backend import set_backend
    from himalaya.kernel_ridge import KernelRidgeCV
    from sklearn.model_selection import KFold

    def fit_predict(x: Array, y: Array, x_test: Array) -> NDArray[np.floating]:
        tools = set_backend(backend)  # himalaya has one at a time
        folds = KFold(5, shuffle=True, random_state=0)
        fitted = KernelRidgeCV(alphas=ALPHAS, fit_intercept=True, cv=folds)
        fitted.fit(tools.asarray(x), tools.asarray(y))
        predicted: NDArray[np.floating] = tools.to_numpy(fitted.predict(tools.asarray(x_test)))
        return predicted

    return peer(fit_predict)


def scikit_loop() -> Run:
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import KFold

    def fit_predict(x: Array, y: Array, x_test: Array) -> NDArray[np.floating]:
        errors = np.zeros((len(ALPHAS), y.shape[1]))
        for fitted, held in KFold(5, shuffle=True, random_state=0).split(x):
            for k, alpha in enumerate(ALPHAS):
                missed = y[held] - Ridge(alpha).fit(x[fitted], y[fitted]).predict(x[held])
                errors[k] += (missed**2).sum(axis=0)
        best = ALPHAS[errors.argmin(axis=0)]
        predicted: NDArray[np.floating] = Ridge(best).fit(x, y).predict(x_test)
        return predicted

    return peer(fit_predict)


def scikit_ridge_cv() -> Run:
    from sklearn.linear_model import RidgeCV

    def fit_predict(x: Array, y: Array, x_test: Array) -> NDArray[np.floating]:
        model = RidgeCV(ALPHAS, alpha_per_target=True).fit(x, y)
        predicted: NDArray[np.floating] = model.predict(x_test)
        return predicted

    return peer(fit_predict)


# job → (targets, the engine's run, what it is compared with → its run)
JOBS: dict[str, tuple[int, Callable[[], Run], dict[str, Callable[[], Run]]]] = {
    "regions": (
        6,
        engine,
        {
            "himalaya KernelRidgeCV, numpy": lambda: himalaya("numpy"),
            "himalaya KernelRidgeCV, torch": lambda: himalaya("torch"),
        },
    ),
    "steep": (
        6,
        engine,
        {
            "himalaya KernelRidgeCV, torch": lambda: himalaya("torch"),
            "scikit-learn Ridge, nested loop": scikit_loop,
        },
    ),
    "loo": (
        6,
        lambda: engine(inner_folds="loo"),
        {"scikit-learn RidgeCV, alpha_per_target": scikit_ridge_cv},
    ),
    "voxels": (
        5000,
        engine,
        {
            "himalaya KernelRidgeCV, torch": lambda: himalaya("torch"),
        },
    ),
    "permutations": (6, lambda: engine(permutations=1000), {"without permutations": engine}),
    "layers": (6, lambda: in_one_batch, {"25 single calls": lambda: one_by_one}),
}


def data(job: str, targets: int, n: int, width: int) -> tuple[Array, Array]:
    """Fresh random features; the real responses for few targets, where they are at hand."""
    rng = np.random.default_rng()
    layers = (25,) if job == "layers" else ()
    x = rng.standard_normal((*layers, n, width), dtype=np.float32)
    if job == "steep":  # singular values that fall as 1/k, in directions of their own
        axes, _ = np.linalg.qr(rng.standard_normal((width, width), dtype=np.float32))
        x = (x / np.arange(1, width + 1, dtype=np.float32)) @ axes.T * width**0.5
    if targets == 6 and RESPONSES.exists() and n <= 1000:
        with RESPONSES.open(encoding="utf-8-sig", newline="") as file:
            table = list(csv.DictReader(file))
        names = [name for name in table[0] if name.startswith("lang_LH_")]
        y = np.array([[row[name] for name in names] for row in table[:n]], dtype=np.float32)
    else:
        y = rng.standard_normal((n, targets), dtype=np.float32)
    # A few features that are in the responses, so that there is something to find.
    some = min(20, width)
    x[..., :some] += y @ rng.standard_normal((y.shape[1], some), dtype=np.float32)
    return x, y


def timed(run: Run, x: Array, y: Array) -> tuple[float, NDArray[np.float64]]:
    start = time.perf_counter()
    found = run(x, y)
    return time.perf_counter() - start, found


def measure(
    job: str, width: int, threads: int, repeats: int, n: int, targets: int, dtype: str = "float32"
) -> list[Row]:
    import torch

    torch.set_num_threads(threads)
    run, peers = JOBS[job][1](), {name: make() for name, make in JOBS[job][2].items()}
    x, y = (values.astype(dtype) for values in data(job, targets, n, width))
    run(x[..., :8], y[:, :2])  # imports and first calls are not part of a fit
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times: dict[str, list[float]] = {name: [] for name in ("engine", *peers)}
    differences = dict.fromkeys(peers, 0.0)
    peak = 0.0
    for turn in range(repeats):
        if not turn or times["engine"][0] < SLOW:
            seconds, ours = timed(run, x, y)
            times["engine"].append(seconds)
        peak = peak or (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        for name, theirs in peers.items():
            if not turn or times[name][0] < SLOW:
                seconds, found = timed(theirs, x, y)
                times[name].append(seconds)
                differences[name] = max(differences[name], float(np.abs(ours - found).max()))
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    return [
        Row(
            *(job, name, width, threads, medians["engine"], medians[name]),
            medians[name] / medians["engine"],
            f"{len(times['engine'])} : {len(times[name])}",
            *(differences[name], peak),
        )
        for name in peers
    ]


def in_own_process(*arguments: Any, threads: int) -> list[Row]:
    """Thread counts are read when a library is loaded: measure in a fresh interpreter."""
    pins = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = dict(os.environ) | {pin: str(threads) for pin in pins}
    environment["PYTHONPATH"] = str(ROOT / "workflow")
    command = [sys.executable, "-W", "ignore", __file__, "--measure", json.dumps(arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return [Row(**row) for row in json.loads(done.stdout.splitlines()[-1])]


def markdown(rows: list[Row]) -> str:
    head = (
        "| job | against | width | threads | engine, s | peer, s | times faster | runs "
        "| max Δr | MB |"
    )
    lines = [head, "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for row in rows:
        cells = [
            *(row.job, row.against, row.width, row.threads),
            *(f"{row.engine_s:.2f}", f"{row.peer_s:.2f}", f"{row.ratio:.2f}"),
            *(row.runs, f"{row.r_difference:.0e}", f"{row.engine_peak_mb:.0f}"),
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def with_earlier(rows: list[Row]) -> list[Row]:
    """These rows and those measured before that they do not replace, in the order of the jobs."""
    by_place = {}
    if CSV.exists():
        with CSV.open(newline="", encoding="utf-8") as file:
            for record in csv.DictReader(file):
                row = Row(*(kind(record[name]) for name, kind in KINDS.items()))
                if row.against in JOBS[row.job][2]:
                    by_place[place(row)] = row
    by_place |= {place(row): row for row in rows}
    return [by_place[key] for key in sorted(by_place)]


def place(row: Row) -> tuple[int, int, int, int]:
    peers = list(JOBS[row.job][2])
    return row.threads, list(JOBS).index(row.job), row.width, peers.index(row.against)


def publish(rows: list[Row]) -> None:
    """Write the CSV, and the table into the documentation between its marks."""
    with CSV.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(asdict(rows[0])))
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(MARKS[0])
    _, after = rest.split(MARKS[1])
    table = f"{MARKS[0]}\n{markdown(rows)}\n{MARKS[1]}"
    PAGE.write_text(before + table + after, encoding="utf-8")


def agree(n: int = 100, width: int = 150) -> dict[str, float]:
    """The largest difference in r from every peer at a small size, all of them given float64."""
    rows = [
        row
        for job, targets in (("regions", 6), ("steep", 6), ("loo", 6), ("voxels", 200))
        for row in measure(job, width, threads=1, repeats=1, n=n, targets=targets, dtype="float64")
    ]
    return {f"{row.job}: {row.against}": row.r_difference for row in rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="check agreement at a small size")
    parser.add_argument("--only", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--widths", nargs="+", type=int)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-docs", action="store_true", help="print only, write nothing")
    parser.add_argument("--measure", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.measure:
        rows = measure(*arguments.measure)
        print(json.dumps([asdict(row) for row in rows]))
        return
    if arguments.smoke:
        differences = agree()
        for name, difference in differences.items():
            print(f"{difference:.1e}  {name}")
        if max(differences.values()) > 1e-5:
            raise SystemExit("the engine and a peer disagree")
        return
    rows = []
    for threads in arguments.threads:
        for job in arguments.only:
            for width in arguments.widths or FEWER_WIDTHS.get(job, WIDTHS):
                size = (job, width, threads, arguments.repeats, 1000, JOBS[job][0])
                rows += in_own_process(*size, threads=threads)
                print(markdown(rows).splitlines()[-1], flush=True)
    if not arguments.no_docs:
        publish(with_earlier(rows))
    print(markdown(rows))


if __name__ == "__main__":
    main()
