"""Which checkpoints of a suite are what their names say, told from listings alone.

A listing carries the hash of every weight file, so that copies, swapped parts and files of another
size show before anything is downloaded. What a listing can't show, such as weights of another run,
`geomod.checkpoints.continuity` looks for in the tensors.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pandas as pd

from geomod.base.errors import InputError
from geomod.checkpoints.budget import CheckpointError
from geomod.checkpoints.hub import RemoteFile, amount
from geomod.checkpoints.listings import (
    CheckpointSource,
    Snapshot,
    is_weight,
    needed_files,
    weights_sha256,
)

SIZE_TOLERANCE = 0.05
CONTAINER = 100_000  # bytes that a file format may add
ROUNDING = 0.02  # of the sizes in resources/suites.tsv
STATUSES = {
    "ok": "as it should be",
    "missing": "no such revision",
    "incomplete": "files are missing",
    "known_bad": "in resources/known_bad.tsv",
    "foreign_part": "a part of the weights is that of another step",
    "wrong_size": "the weights are too small or too large",
    "duplicate": "bit-identical to another step",
    "off_trajectory": "the tensors do not lie between those of the neighbouring steps",
}


@dataclass(frozen=True)
class KnownBad:
    """A public report of bad checkpoints."""

    repo: str
    revision: str
    steps: frozenset[int]
    problem: str
    source: str


@dataclass(frozen=True)
class Weights:
    """The weights of a snapshot as they would be loaded, or what is lacking."""

    sha256: str = ""
    bytes: int = 0
    format: str = ""
    parts: tuple[RemoteFile, ...] = ()
    lacking: str = ""


def weights_of(snapshot: Snapshot) -> Weights:
    try:
        kind, files = needed_files(snapshot.files, "the revision")
    except CheckpointError as error:
        return Weights(lacking=str(error))
    parts = tuple(filter(is_weight, files))
    return Weights(weights_sha256(parts), sum(part.size for part in parts), kind, parts)


def audit(
    source: CheckpointSource,
    snapshots: Iterable[Snapshot],
    steps: Sequence[int],
    known_bad: Iterable[KnownBad] = (),
    sizes: tuple[float, float] | None = None,
) -> pd.DataFrame:
    """One row a step of `steps`: what is there, and what is wrong with it.

    `duplicate_of` is missing for a checkpoint that is a point of its own.

    The listing may hold more steps than those asked for, and `main`: a copy of them is found too.
    `sizes` are the smallest and largest size of the weights in bytes, see `expected_sizes`; where
    they are not known the median of the listing is held to be right, give or take 5 %.
    """
    listed = [(snapshot, weights_of(snapshot)) for snapshot in snapshots]
    by_step = {snapshot.step: (snapshot, weights) for snapshot, weights in listed}
    copies = _copies(listed, set(steps))
    parts = _foreign_parts(listed, set(steps))
    if sizes is None:
        usual = median([weights.bytes for _, weights in listed if weights.bytes] or [0])
        slack = usual * SIZE_TOLERANCE + CONTAINER
        sizes = (usual - slack, usual + slack)
    reports = {
        step: f"{bad.problem} ({bad.source})"
        for bad in known_bad
        if bad.repo == source.location and bad.revision == source.revision
        for step in bad.steps
    }
    rows = []
    for step in sorted(steps):
        snapshot, weights = by_step.get(step, (Snapshot(step, "", "", ()), Weights()))
        checks = {  # the gravest first
            "missing": "" if step in by_step else "no such revision",
            "incomplete": weights.lacking,
            "known_bad": reports.get(step, ""),
            "foreign_part": parts.get(step, ""),
            "wrong_size": _size_problem(weights.bytes, *sizes),
            "duplicate": f"bit-identical to {copies[step]}" if step in copies else "",
        }
        rows.append(
            {
                "model": source.model,
                "step": step,
                "revision": snapshot.revision,
                "commit": snapshot.commit,
                "sha256": weights.sha256,
                "bytes": weights.bytes,
                "format": weights.format,
                "duplicate_of": copies.get(step),
                "status": next((name for name, detail in checks.items() if detail), "ok"),
                "detail": "; ".join(filter(None, checks.values())),
            }
        )
    return pd.DataFrame(rows)


def _size_problem(size: int, smallest: float, largest: float) -> str:
    if not size or smallest <= size <= largest:
        return ""
    least, most = amount(max(0, smallest)), amount(largest)
    return f"{amount(size)} of weights where {least} to {most} are expected"


Listed = Sequence[tuple[Snapshot, Weights]]


def _copies(listed: Listed, asked: set[int]) -> dict[int, str]:
    """Step → revision whose weights it repeats."""
    copies: dict[int | None, str] = {}
    for group in _by_hash((weights.sha256, found, weights) for found, weights in listed):
        owner, _ = _owner(group, listed, asked)
        copies |= {found.step: _name(owner) for found, _ in group if found is not owner}
    return {step: of for step, of in copies.items() if step is not None}


def _foreign_parts(listed: Listed, asked: set[int]) -> dict[int, str]:
    """Step → which of its parts is that of another step, where not all of them are.

    Between two steps on the way nothing says whose part it is, and either may be the damaged one.
    """
    foreign: dict[int | None, str] = {}
    entries = ((p.identity, found, weights) for found, weights in listed for p in weights.parts)
    for group in _by_hash(entries):
        owner, whole = _owner(group, listed, asked)
        for found, weights in group:
            if weights.sha256 != whole.sha256:
                shared = {part.identity for part in whole.parts}
                part = next(part.name for part in weights.parts if part.identity in shared)
                foreign[found.step] = f"{part} is that of {_name(owner)}"
                if owner.step not in (None, _last(listed)):
                    foreign[owner.step] = f"{part} is that of {_name(found)}"
    return {step: problem for step, problem in foreign.items() if step is not None}


def _by_hash(entries: Iterable[tuple[str, Snapshot, Weights]]) -> list[Listed]:
    """What has the same hash, in groups of at least two."""
    groups: dict[str, list[tuple[Snapshot, Weights]]] = {}
    for sha256, found, weights in entries:
        if sha256:
            groups.setdefault(sha256, []).append((found, weights))
    return [group for group in groups.values() if len(group) > 1]


def _owner(group: Listed, listed: Listed, asked: set[int]) -> tuple[Snapshot, Weights]:
    """Whose weights they are that a whole group has.

    The last step's, or those of `main`: weights of the end of training under earlier names are the
    common fault. Else the earliest of the steps asked for is as good as any.
    """
    last = _last(listed)

    def rank(entry: tuple[Snapshot, Weights]) -> tuple[bool, bool, bool, int]:
        step = entry[0].step
        return (step != last, step is not None, step not in asked, step or 0)

    return min(group, key=rank)


def _last(listed: Listed) -> int | None:
    return max((found.step for found, _ in listed if found.step is not None), default=None)


def _name(snapshot: Snapshot) -> str:
    return snapshot.revision or f"step{snapshot.step}"


def read_known_bad(path: str | Path) -> list[KnownBad]:
    """The quarantine list: tab-separated repo, revision, steps, problem, source."""
    with Path(path).open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    found = []
    for number, row in enumerate(rows, start=2):
        if not (row.get("source") or "").startswith("http"):
            raise InputError(
                f"{path}, line {number}: every row names its public source, an address"
            )
        found.append(
            KnownBad(
                row["repo"],
                row["revision"],
                frozenset(parse_steps(row["steps"], f"{path}, line {number}")),
                row["problem"],
                row["source"],
            )
        )
    return found


def expected_sizes(path: str | Path, repo: str, size: str) -> tuple[float, float] | None:
    """Smallest and largest size in bytes of the weights, from resources/suites.tsv.

    Numbers of two bytes each at the least; at the most the published file, which also holds the
    attention masks that newer conversions leave out. None for a suite that is not there.
    """
    with Path(path).open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            if (row["repo"], row["size"]) == (repo, size):
                least, most = 2e6 * float(row["parameters_m"]), 1e6 * float(row["file_mb"])
                return least * (1 - ROUNDING), most * (1 + ROUNDING)
    return None


def parse_steps(text: str, where: str) -> list[int]:
    """`0,1,2,1000:5000:1000` as numbers; a range holds its last step."""
    steps: list[int] = []
    for part in text.split(","):
        if not re.fullmatch(r"\d+(:\d+:[1-9]\d*)?", part):
            raise InputError(f"{where}: {part!r} is no step and no range first:last:stride")
        first, last, stride = (
            (*part.split(":"), part, "1")[:3] if ":" in part else (part, part, "1")
        )
        steps.extend(range(int(first), int(last) + 1, int(stride)))
    return steps


def with_continuity(table: pd.DataFrame, continuity: pd.DataFrame) -> pd.DataFrame:
    """The audit, with what `continuity.continuity` found in the tensors of each `model`.

    It sees copies that differ as files, such as one as .bin and one as safetensors, and weights
    that do not lie on the path.
    """
    columns = ["model", "step", "copy_of", "detour", "off_trajectory"]
    found = {}
    for model, step, copy_of, detour, off in continuity[columns].itertuples(index=False):
        if copy_of >= 0:
            found[model, step] = {
                "status": "duplicate",
                "duplicate_of": f"step{copy_of}",
                "detail": "the same numbers",
            }
        elif off:
            detail = f"the way through it is {detour:.1f} times the way past it"
            found[model, step] = {"status": "off_trajectory", "detail": detail}
    rows = [
        row | found.get((row["model"], row["step"]), {}) if row["status"] == "ok" else row
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(rows, columns=table.columns)


def summary(table: pd.DataFrame) -> str:
    """The audit in words, a paragraph a model."""
    paragraphs = []
    for model, rows in table.groupby("model", sort=False):
        sound = int((rows["status"] == "ok").sum())
        lines = [f"{model}: {sound} of {len(rows)} checkpoints are sound"]
        for status, meaning in STATUSES.items():
            steps = rows.loc[rows["status"] == status, "step"].tolist()
            if steps and status != "ok":
                lines.append(f"  {status:14} {meaning}: {len(steps)} ({in_words(steps)})")
        for original, copies in rows.groupby("duplicate_of"):
            lines.append(f"  same weights as {original}: {in_words(copies['step'].tolist())}")
        paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs) + "\n"


def in_words(steps: Sequence[int]) -> str:
    """Steps with runs of one stride shortened: `0, 1, 2, 1000 … 53000 by 1000`."""
    words: list[str] = []
    left = sorted(steps)
    while left:
        run = 1
        while run < len(left) and left[run] - left[run - 1] == left[1] - left[0]:
            run += 1
        if run >= 4:
            words.append(f"{left[0]} … {left[run - 1]} by {left[1] - left[0]}")
        else:
            run = 1
            words.append(str(left[0]))
        left = left[run:]
    return ", ".join(words)
