"""Do the tensors of a checkpoint lie where its step says, between those of its neighbours?

Training moves weights along a path. A checkpoint that carries weights of another step or run, whole
or in one shard, is a detour: far from the step before and from the step after, which are near each
other. Distances are estimated from sketches of a few kilobytes, so that no two checkpoints need to
be on disk at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.base.errors import InputError
from geomod.base.tensors import Tensors, write_tensors

WIDTH = 64  # numbers in the sketch of a tensor
REACH = 3  # neighbours looked at on either side
DETOUR = 3.0  # a smooth path gives 1, a random walk √2, noise about a resting point 2
JUMP = 10.0  # at the ends: the way to the neighbour, in units of the neighbour's own next way
STILL = 1e-3  # a way shorter than this share of the tensor's norm is rounding, not movement

Sketch = dict[str, NDArray[np.float32]]


def sketch(tensors: Iterable[tuple[str, NDArray[np.floating]]]) -> Sketch:
    """A few numbers a tensor that keep distances: ‖S(a) − S(b)‖ ≈ ‖a − b‖.

    A tensor, cut into rows of `WIDTH`, is projected on one random vector r of signs: S = r·X. Signs
    are independent, so E‖S‖² = ‖X‖²; where the rows are many and unrelated the relative error of a
    distance is about 1/√(2·WIDTH), 9 %. A tensor of up to `WIDTH` numbers is kept as it is. The
    signs depend on the tensor's name alone and are the same for every checkpoint. The last number
    is the exact norm. (Johnson & Lindenstrauss 1984; Achlioptas 2003 for signs.)
    """
    found = {}
    for name, tensor in tensors:
        flat = np.asarray(tensor, dtype=np.float32).ravel()
        rows = np.pad(flat, (0, -len(flat) % WIDTH)).reshape(-1, WIDTH)
        random = np.random.default_rng([0, crc32(name.encode())])
        signs = random.choice(np.array([-1, 1], dtype=np.float32), len(rows))
        norm = np.sqrt(np.einsum("i,i", flat, flat, dtype=np.float64))
        found[name] = np.append(signs @ rows, norm).astype(np.float32)
    return found


def write_sketch(
    values: Sketch, path: str | Path, provenance: Mapping[str, Any] | None = None
) -> None:
    write_tensors(values, path, provenance)


def read_sketch(path: str | Path) -> Sketch:
    file = Tensors(path)
    return {name: file[name] for name in file}


def distances(sketches: Sequence[Sketch]) -> tuple[list[str], NDArray[np.float64]]:
    """Tensor names, and distance of every two checkpoints in each tensor: [tensor, step, step].

    In units of the tensor's largest norm along the path.
    """
    names = sorted(set.intersection(*(set(values) for values in sketches)))
    found = np.zeros((len(names), len(sketches), len(sketches)))
    for row, name in enumerate(names):
        points = np.stack([values[name] for values in sketches]).astype(np.float64)
        scale = points[:, -1].max() or 1.0
        difference = points[:, None, :-1] - points[None, :, :-1]
        found[row] = np.linalg.norm(difference, axis=-1) / scale
    return names, found


def continuity(sketches: Mapping[int, Sketch]) -> pd.DataFrame:
    """One row a step: the way from the step before and to the step after, and what is strange.

    `detour` of a tensor at step t is the median, over steps i before and j after within `REACH`,
    of (d(i,t) + d(t,j)) / d(i,j). The table's is the one that a tenth of the tensors reach, so
    that a swapped shard shows and, in a model of many tensors, a noisy bias does not. At either end
    there is one side only, and the measure is the jump to the neighbour over the neighbour's own
    next way. The strangest step is taken out and the others are looked at again, until none is
    strange. Copies of another step (distance 0) are named and take no part. Where the end lies k
    times as far off in steps as the neighbour's neighbour, k times the jump is allowed.

    Unseen stay: several strange checkpoints in a row that lie close together, and the first and
    last step of a coarse grid, where they are off by less than `JUMP`.
    """
    steps = sorted(sketches)
    _, apart = distances([sketches[step] for step in steps])
    copies = _copies(steps, apart)
    kept = [row for row, step in enumerate(steps) if step not in copies]
    detours = np.full(len(steps), np.nan)
    strange: set[int] = set()
    while len(kept) >= 3:
        detours[kept] = [_detour(apart, kept, at) for at in range(len(kept))]
        limits = [_limit([steps[row] for row in kept], at) for at in range(len(kept))]
        worst = int(np.argmax(detours[kept] / limits))
        if detours[kept[worst]] <= limits[worst]:
            break
        strange.add(kept.pop(worst))
    ways = np.median(apart, axis=0)
    return pd.DataFrame(
        {
            "step": step,
            "distance_previous": ways[row, row - 1] if row else np.nan,
            "distance_next": ways[row, row + 1] if row + 1 < len(steps) else np.nan,
            "detour": detours[row],
            "copy_of": copies.get(step, -1),
            "off_trajectory": row in strange,
        }
        for row, step in enumerate(steps)
    )


def continuity_of_models(
    audited: pd.DataFrame, sketches: Mapping[tuple[str, int], str | Path]
) -> pd.DataFrame:
    """`continuity` of every model, over the checkpoints in whose files nothing was found wrong.

    A checkpoint that is known to be damaged is nobody's neighbour. `audited` is the table of
    `audit.audit`, `sketches` the file of each (model, step).
    """
    candidates = audited[audited["status"] == "ok"]
    if candidates.empty:
        raise InputError("no checkpoint is sound; audit.txt says what is wrong with each")
    return pd.concat(
        continuity({step: read_sketch(sketches[model, step]) for step in rows["step"]}).assign(
            model=model
        )
        for model, rows in candidates.groupby("model", sort=False)
    )


def _copies(steps: Sequence[int], apart: NDArray[np.float64]) -> dict[int, int]:
    """Step → step that it repeats: the last one of all, else the first that has these numbers."""
    same = apart.max(axis=0) == 0
    owner = np.where(same[:, -1], len(steps) - 1, same.argmax(axis=1))
    return {step: steps[owner[row]] for row, step in enumerate(steps) if owner[row] != row}


def _limit(steps: Sequence[int], at: int) -> float:
    if 0 < at < len(steps) - 1:
        return DETOUR
    end, neighbour, beyond = steps[:3] if at == 0 else steps[:-4:-1]
    return JUMP * max(1.0, (neighbour - end) / (beyond - neighbour))


def _detour(apart: NDArray[np.float64], kept: Sequence[int], at: int) -> float:
    """How much longer the way through kept[at] is than the way past it."""
    row, before, after = kept[at], kept[max(0, at - REACH) : at], kept[at + 1 : at + 1 + REACH]
    if before and after:
        pairs = [
            _ratio(apart[:, i, row] + apart[:, row, j], apart[:, i, j])
            for i in before
            for j in after
        ]
        ratios = np.median(pairs, axis=0)
    else:
        neighbour, beyond = after[:2] if after else before[:-3:-1]
        onward = np.maximum(apart[:, neighbour, beyond], STILL)
        ratios = _ratio(apart[:, row, neighbour], onward)
    return float(np.quantile(ratios, 0.9, method="higher"))


def _ratio(way: NDArray[np.float64], direct: NDArray[np.float64]) -> NDArray[np.float64]:
    """way / direct, 1 where the way is no more than rounding."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(way > STILL, way / direct, 1.0)
