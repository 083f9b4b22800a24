"""Time encoding from delayed features beside himalaya, on the same rows, folds and penalties.

    python benchmarks/ridge/delays.py --write       # all, the voxels too; into docs/encoding.md
    python benchmarks/ridge/delays.py --widths 768  # print only

Six stories of 250 TRs, 4 delays, 20 penalties, leave one story out in both loops. himalaya is given
the delayed matrix, which is not timed, and layers one after the other; the engine is given them
all, as in a sweep. Of its solvers and backends the fastest on one layer is given the rest. Features
drift from TR to TR as those of a model do and have a falling spectrum.
Engine and peers take turns in one process; what is reported is the median of their turns.
"""

import argparse
import multiprocessing
import resource
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.documented import document

Array = NDArray[np.float32]
Encoder = Callable[[Array, Array], NDArray[np.float64]]
TRS, STORIES, DELAYS = 250, 6, (1, 2, 3, 4)
ALPHAS = np.logspace(-2, 8, 20)
TARGETS = 400
# A matrix of more columns than rows is no case for a solver of the weights.
WIDEST_PRIMAL = TRS * STORIES // len(DELAYS)


def stories() -> NDArray[np.intp]:
    return np.repeat(np.arange(STORIES), TRS)


def data(width: int, targets: int, seed: int) -> tuple[Array, Array]:
    """Features [TRs, width] and responses that follow some of them two TRs later."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((TRS * STORIES, width)) / np.arange(1, width + 1)
    for t in range(1, len(x)):
        x[t] += 0.8 * x[t - 1]
    x = x @ np.linalg.qr(rng.standard_normal((width, width)))[0]
    y = np.roll(x, 2, axis=0) @ rng.standard_normal((width, targets))
    y = y / y.std(axis=0) + 2 * rng.standard_normal(y.shape)
    return x.astype(np.float32), y.astype(np.float32)


def engine(x: Array, y: Array) -> NDArray[np.float64]:
    """Mean r over the stories, `[layers, targets]`, from features `[layers, TRs, width]`."""
    from geomod.ridge.delays import Delays
    from geomod.ridge.engine import encode

    rows = Delays(stories(), DELAYS)
    return encode(x, y, alphas=ALPHAS, folds=STORIES, inner_folds="loo", delays=rows).score


def himalaya(solver: str, backend: str) -> Encoder:
    """The same by a solver of himalaya, from the delayed matrix of every layer."""
    from himalaya.backend import set_backend
    from himalaya.kernel_ridge import KernelRidgeCV
    from himalaya.ridge import RidgeCV
    from sklearn.model_selection import LeaveOneGroupOut

    kinds = {"KernelRidgeCV": KernelRidgeCV, "RidgeCV": RidgeCV}

    def run(x: Array, y: Array) -> NDArray[np.float64]:
        return np.stack([of_layer(layer, y) for layer in x])

    def of_layer(x: Array, y: Array) -> NDArray[np.float64]:
        tools = set_backend(backend)
        names, r = stories(), []
        for train, test in LeaveOneGroupOut().split(x, groups=names):
            inner = list(LeaveOneGroupOut().split(x[train], groups=names[train]))
            model = kinds[solver](alphas=ALPHAS, cv=inner, fit_intercept=True)
            model.fit(tools.asarray(x[train]), tools.asarray(y[train]))
            predicted = tools.to_numpy(model.predict(tools.asarray(x[test])))
            a, b = predicted - predicted.mean(axis=0), y[test] - y[test].mean(axis=0)
            r.append((a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0)))
        return np.mean(r, axis=0, dtype=np.float64)

    return run


def beside_himalaya(
    width: int, layers: list[int], threads: int, repeats: int
) -> list[dict[str, Any]]:
    """Rows of the table, one for each number of layers: the engine and its best peer."""
    import torch

    torch.set_num_threads(threads)
    peers = {
        f"{solver}, {backend}": himalaya(solver, backend)
        for solver in ("KernelRidgeCV", "RidgeCV")
        for backend in ("torch", "numpy")
        if solver == "KernelRidgeCV" or width <= WIDEST_PRIMAL
    }
    rows = []
    for count in sorted(layers):
        times, differences = turns(width, count, peers, repeats)
        best = min(peers, key=times.__getitem__)
        peers = {best: peers[best]}
        rows.append(
            {
                "layers_x_width": f"{count} × {width}",
                "threads": threads,
                "engine_s": round(times["engine"], 2),
                "himalaya_s": round(times[best], 2),
                "its_fastest": best,
                "times_faster": round(times[best] / times["engine"], 1),
                "largest_difference_of_r": f"{differences[best]:.0e}",
                "turns": repeats,
            }
        )
    return rows


def turns(
    width: int, layers: int, peers: dict[str, Encoder], repeats: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Median seconds of the engine and of each peer, and how far each peer's r are from its."""
    from geomod.ridge.delays import Delays

    rows = Delays(stories(), DELAYS)
    times: dict[str, list[float]] = {name: [] for name in ("engine", *peers)}
    differences = dict.fromkeys(peers, 0.0)
    for seed in range(repeats):
        drawn = [data(width, TARGETS, 100 * seed + layer) for layer in range(layers)]
        x, y = np.stack([own for own, _ in drawn]), drawn[0][1]
        wide = np.stack([rows.matrix(own) for own in x]).astype(np.float32)
        kept = rows.responses(y).astype(np.float32)
        seconds, ours = timed(engine, x, y)
        times["engine"].append(seconds)
        for name, peer in peers.items():
            seconds, theirs = timed(peer, wide, kept)
            times[name].append(seconds)
            differences[name] = max(differences[name], float(np.abs(ours - theirs).max()))
    return {name: statistics.median(seconds) for name, seconds in times.items()}, differences


def timed(run: Encoder, x: Array, y: Array) -> tuple[float, NDArray[np.float64]]:
    start = time.perf_counter()
    found = run(x, y)
    return time.perf_counter() - start, found


def ladders(width: int, threads: int, repeats: int) -> dict[str, Any]:
    """A layer and its ladders beside two baselines of a column and one as wide as it is, with a
    factorization for both loops, and with one for each fold."""
    import torch

    from geomod.ridge import engine as engine_file
    from geomod.ridge.banded import RUNGS, Baseline, Climb
    from geomod.ridge.delays import Delays
    from geomod.ridge.engine import encode

    torch.set_num_threads(threads)
    rows, alike = Delays(stories(), DELAYS), engine_file.leave_out_alike

    def climbed(x: Array, y: Array) -> NDArray[np.float64]:
        rng = np.random.default_rng(0)
        beside = [rng.standard_normal((len(x), k)).astype(np.float32) for k in (1, 1, width)]
        names = ("word_rate", "position", "untrained")
        baselines = {n: Baseline(b, delays=rows) for n, b in zip(names, beside, strict=True)}
        climb = Climb(baselines, [0])
        how: dict[str, Any] = {"folds": STORIES, "inner_folds": "loo", "delays": rows}
        encode(x, y, alphas=ALPHAS, beside=climb, **how)
        return np.stack([climb.ladder(name).r[rung] for name in names for rung in RUNGS])

    times: dict[str, list[float]] = {"fold by fold": [], "both loops": []}
    difference = 0.0
    for seed in range(repeats):
        x, y = data(width, TARGETS, seed)
        found = []
        for name, test in (("fold by fold", lambda *_: False), ("both loops", alike)):
            engine_file.leave_out_alike = test
            seconds, r = timed(climbed, x, y)
            times[name].append(seconds)
            found.append(r)
        difference = max(difference, float(np.abs(found[0] - found[1]).max()))
    by_fold, both = map(statistics.median, times.values())
    return {
        "width": width,
        "threads": threads,
        "fold_by_fold_s": round(by_fold, 2),
        "both_loops_s": round(both, 2),
        "times_faster": round(by_fold / both, 1),
        "largest_difference_of_r": f"{difference:.0e}",
        "turns": repeats,
    }


def voxels(count: int, width: int, threads: int) -> dict[str, Any]:
    """What so many targets take above the memory of their responses, in float32, and how long."""
    import torch

    torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    x = data(width, 1, seed=0)[0]
    y = rng.standard_normal((len(x), count), dtype=np.float32)
    engine(x[None, :, :4], y[:, :3])  # imports are no part of it
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, _ = timed(engine, x[None], y)
    above = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    return {
        "voxels": count,
        "width": width,
        "threads": threads,
        "data_gb": round(y.nbytes / 1e9, 2),
        "above_gb": round(above * 2**30 / 1e9, 2),
        "seconds": round(seconds),
    }


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """In a process of its own, whose memory nothing else has filled before."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--widths", nargs="*", type=int, default=[256, 512, 768, 2048])
    parser.add_argument("--layers", nargs="*", type=int, default=[1, 2], help="so many at once")
    parser.add_argument("--voxels", nargs="*", type=int, default=[80_000])
    parser.add_argument("--ladders", nargs="*", type=int, default=[256, 768], help="widths")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="put the rows into docs/")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    given = (options.layers, options.threads, options.repeats)
    beside = [row for width in options.widths for row in alone(beside_himalaya, width, *given)]
    for name, key, rows in (
        ("delays", "layers_x_width", beside),
        ("ladders", "width", [alone(ladders, w, *given[1:]) for w in options.ladders]),
        ("voxels", "voxels", [alone(voxels, n, 768, options.threads) for n in options.voxels]),
    ):
        if rows:
            table = pd.DataFrame(rows)
            print(table.to_string(index=False), flush=True)
            if options.write:
                document(table, name, "encoding.md", key)


if __name__ == "__main__":
    main()
