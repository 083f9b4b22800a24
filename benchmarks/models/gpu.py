"""What a GPU does of the two dear stages, beside its peer and beside what it could do at best.

    python benchmarks/models/gpu.py --write

**ridge**: layers of 1,000 rows by nested cross-validation, as `benchmarks/ridge/ridge.py` has it,
through the engine on the GPU, through himalaya's KernelRidgeCV on the same GPU, and through the
engine on all cores of the CPU. **forward**: 1,000 short sentences through models of random weights
in the shape of Pythia's, with features, Grams and surprisals (`sentences`), and the bare model.

The floor of each is its arithmetic at the rate of a large product of the same precision, and its
bytes to or from the GPU at the rate of a large copy; both rates are measured in the same run. What
stands above it is work that small matrices and their dependence on each other do not let go faster.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.documented import document
from benchmarks.models.activations import SHAPES, build, make_sentences
from geomod.models.forward import equal_lengths
from geomod.models.loading import load_model
from geomod.models.sentences import extract
from geomod.ridge.engine import encode

ALPHAS = np.logspace(-2, 8, 21)
ROWS, FOLDS = 1000, 5


def seconds(run: Callable[[], object], repeats: int = 3) -> float:
    """The median of some runs, after one that is not counted."""
    times = []
    for _ in range(repeats + 1):
        torch.cuda.synchronize()
        started = time.perf_counter()
        run()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def rates() -> dict[str, float]:
    """Of this GPU: flop/s of large products in float64 and float32, bytes/s to it and from it."""
    torch.backends.cuda.matmul.allow_tf32 = False
    found = {}
    for name, dtype in (("float64", torch.float64), ("float32", torch.float32)):
        a = torch.randn(8192, 8192, dtype=dtype, device="cuda")
        found[name] = 2 * 8192**3 / seconds(lambda a=a: a @ a)  # type: ignore[misc]
    there = torch.empty(2**28, dtype=torch.uint8, device="cuda")
    here = torch.empty(2**28, dtype=torch.uint8, pin_memory=True)
    found["down"] = 2**28 / seconds(lambda: here.copy_(there, non_blocking=True))
    return found


def himalaya(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Scores [folds, targets] of one layer, standardized on the GPU too."""
    from himalaya.backend import set_backend
    from himalaya.kernel_ridge import KernelRidgeCV
    from sklearn.model_selection import KFold

    backend = set_backend("torch_cuda")
    features, targets = backend.asarray(x), backend.asarray(y)
    scores = []
    for train, test in KFold(FOLDS, shuffle=True, random_state=0).split(x):
        mean, sd = features[train].mean(dim=0), features[train].std(dim=0, correction=0)
        inner = KFold(FOLDS, shuffle=True, random_state=0)
        model = KernelRidgeCV(alphas=ALPHAS, fit_intercept=True, cv=inner)
        model.fit((features[train] - mean) / sd, targets[train])
        predicted = model.predict((features[test] - mean) / sd).to(targets)
        a, b = predicted - predicted.mean(dim=0), targets[test] - targets[test].mean(dim=0)
        r = (a * b).sum(dim=0) / (a.norm(dim=0) * b.norm(dim=0))
        scores.append(backend.to_numpy(r))
    return np.array(scores)


def ridge_flops(width: int, targets: int) -> float:
    """Of one layer: kernels, their eigenvectors, the systems of all penalties and inner folds."""
    n = ROWS * (FOLDS - 1) // FOLDS
    side, block, rank = min(n, width), n // FOLDS, min(n - 1, width)
    gram = side**2 * max(n, width)
    pairs = 14 / 3 * side**3  # to a tridiagonal, its eigenvectors, and back
    systems = len(ALPHAS) * FOLDS * (block**2 * rank + block**3 / 3 + 2 * block**2 * targets)
    right = len(ALPHAS) * 2 * n * rank * targets
    return FOLDS * float(gram + pairs + systems + right)


def ridge(
    rate: dict[str, float], widths: list[int], layers: int, cpu: bool
) -> list[dict[str, Any]]:
    rows = []
    for width in widths:
        for targets in (6, 5000):
            rng = np.random.default_rng(0)
            count = layers if targets == 6 else 4
            x = rng.standard_normal((count, ROWS, width), dtype=np.float32)
            y = rng.standard_normal((ROWS, targets), dtype=np.float32)
            x[:, :, :20] += y[:, :6] @ rng.standard_normal((6, 20), dtype=np.float32)
            # As the activations of models are: a spectrum that falls.
            x = x / np.arange(1, width + 1, dtype=np.float32) ** 0.5
            own = encode(x, y, alphas=ALPHAS, device="cuda")
            engine = seconds(lambda x=x, y=y: encode(x, y, alphas=ALPHAS, device="cuda")) / count
            alone = seconds(lambda x=x, y=y: encode(x[0], y, alphas=ALPHAS, device="cuda"))
            peer = seconds(lambda x=x, y=y: himalaya(x[0], y))
            apart = float(np.abs(himalaya(x[0], y) - own.r[0]).max())
            row = {
                "width": width,
                "targets": targets,
                "layers": count,
                "engine_s": engine,
                "one_layer_s": alone,
                "himalaya_s": peer,
                "times_faster": peer / engine,
                "difference_r": apart,
                "floor_s": ridge_flops(width, targets) / rate["float64"],
            }
            if cpu and targets == 6:
                few = x[:4]
                row["cpu_s"] = seconds(lambda few=few, y=y: encode(few, y, alphas=ALPHAS), 1) / 4
            rows.append(row)
            print(pd.DataFrame([row]).to_string(index=False), flush=True)
    return rows


def forward(rate: dict[str, float], sizes: list[str], batches: list[int]) -> list[dict[str, Any]]:
    rows = []
    sentences = make_sentences(1000)
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            build(size, Path(folder))
            model, tokenizer = load_model(folder, device="cuda")
        ids = tokenizer(sentences, add_special_tokens=False)["input_ids"]
        for batch in batches:
            reading = partial(extract, model, tokenizer, sentences, batch_tokens=batch)
            row = {
                "model": size,
                "batch_tokens": batch,
                "tokens": sum(map(len, ids)),
                "reading_s": seconds(reading),
                "model_alone_s": seconds(partial(alone, model, ids, batch)),
                "floor_s": forward_floor(model, SHAPES[size], ids, rate),
            }
            row["times_the_model"] = row["reading_s"] / row["model_alone_s"]
            rows.append(row)
            print(pd.DataFrame([row]).to_string(index=False), flush=True)
    return rows


def alone(model: Any, ids: list[list[int]], batch: int) -> None:
    """The same batches through the model, of which nothing is kept."""
    with torch.inference_mode():
        for rows in equal_lengths([len(each) for each in ids], batch):
            model(input_ids=torch.tensor([ids[row] for row in rows], device="cuda"))


def forward_floor(
    model: Any, shape: tuple[int, int, int], ids: list[list[int]], rate: dict[str, float]
) -> float:
    """Every token with every weight but the embeddings', the Grams, and what comes back, s."""
    blocks, width, _ = shape
    tokens, squares = sum(map(len, ids)), sum(len(each) ** 2 for each in ids)
    embedded = model.get_input_embeddings().weight.numel()
    flops = 2 * tokens * (sum(w.numel() for w in model.parameters()) - embedded)
    grams = 2 * squares * width * (blocks + 1)
    back = (blocks + 1) * (4 * len(ids) * width + 8 * squares)
    return float(flops / rate["float32"] + grams / rate["float64"] + back / rate["down"])


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the engine and the forward pass on a GPU.")
    parser.add_argument("--widths", nargs="*", type=int, default=[512, 1024, 2048])
    parser.add_argument("--layers", type=int, default=25)
    parser.add_argument("--sizes", nargs="*", default=["70m", "410m", "1b"])
    parser.add_argument("--batches", nargs="*", type=int, default=[512, 4096])
    parser.add_argument("--cpu", action="store_true", help="time the engine on the CPU's cores too")
    parser.add_argument("--write", action="store_true", help="put the rows into docs/")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("no GPU here: nothing to measure")
    rate = rates()
    print(torch.cuda.get_device_name(), {name: f"{value:.3g}" for name, value in rate.items()})
    found = {
        "gpu-ridge": (ridge(rate, args.widths, args.layers, args.cpu), "width"),
        "gpu-forward": (forward(rate, args.sizes, args.batches), "model"),
    }
    if args.write:
        for name, (rows, key) in found.items():
            table = pd.DataFrame(rows)
            numbers = table.select_dtypes("float").columns
            table[numbers] = table[numbers].map(
                lambda value: f"{value:.3g}" if value == value else ""
            )
            document(table, name, "performance-gpu.md", key)


if __name__ == "__main__":
    main()
