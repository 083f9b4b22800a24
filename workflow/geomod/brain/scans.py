"""Where the scans of people who heard stories lie, known before any of them is opened.

Either `files` is a pattern with `{participant}` and `{story}` (and `{hemi}` for surfaces), or
`bids` is a folder of derivatives as fMRIPrep leaves them, old names and new ones. Snakemake asks
this each time it parses the workflow, so nothing here imports more than the standard library.
"""

import glob
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from geomod.base.errors import InputError

HEMISPHERES = ("L", "R")
HDF5 = (".hf5", ".h5", ".hdf5")
SURFACE = ".func.gii"
VOLUMES = (".nii.gz", ".nii")
CONFOUNDS = ("timeseries", "regressors")  # fMRIPrep's name since 20.2, and before


@dataclass(frozen=True)
class Scans:
    """Responses to stories in files of scans: keys of the config's section `scans`.

    `task` is the one task whose runs are the stories: the k-th run of a participant, in numeric
    order, is the k-th story. Otherwise every story is a task of its own, by its own name or as
    `tasks` says, and further runs of it are repeats. `events` says which `stim_file` of a run's
    events a story is. `trimmed` files lack the rows that `story.trim` names; `volumes` (a mapping,
    or a JSON file of one) gives the rows of each story before any trim, to be checked.
    """

    files: str = ""
    bids: str = ""
    raw: str = ""
    space: str = ""
    desc: str = ""
    task: str = ""
    tasks: Mapping[str, str] = field(default_factory=dict)
    events: Mapping[str, str] = field(default_factory=dict)
    parcels: str = ""
    labels: str = ""
    mask: str = ""
    trimmed: bool = False
    volumes: Mapping[str, int] | str = ""
    confounds: Sequence[str] = ()
    regress: bool = False
    planned: bool = False  # the files are still to be made: everybody heard every story


@dataclass(frozen=True)
class Scan:
    """One run of one participant: its file, or those of both hemispheres, and what goes with it."""

    story: str
    participant: str
    paths: tuple[Path, ...]
    sidecars: tuple[Path, ...] = ()  # JSON, from what holds for all to what holds for this
    events: Path | None = None
    confounds: Path | None = None

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return str(self.paths[0])


def find_scans(
    scans: Scans, stories: Sequence[str], participants: Sequence[str], every: Sequence[str] = ()
) -> list[Scan]:
    """Every run, participant by participant, in the order of `stories`.

    `every` names all stories that were told, where `stories` are some of them: the runs of one task
    are told apart by their place among all.

    A participant lacks a story where there is no file of it; somebody who has none is an error, as
    is a story that nobody heard.
    """
    if scans.planned:
        found = _planned(scans, stories, participants)
    elif scans.bids:
        found = _in_bids(scans, stories, participants, every or stories)
    else:
        found = _by_pattern(scans, stories, participants)
    people = dict.fromkeys(scan.participant for scan in found)
    where = scans.bids or scans.files
    for name in participants:
        if name not in people:
            raise InputError(
                f"{where}: participant {name!r} has no scan of these stories. There are "
                f"{', '.join(people) or 'none'}."
            )
    if not found:
        raise InputError(f"{where}: no scan of the stories {', '.join(stories)} is there.")
    order = {story: place for place, story in enumerate(stories)}
    names = {name: place for place, name in enumerate(participants or people)}
    return sorted(found, key=lambda scan: (names[scan.participant], order[scan.story]))


def timing_files(scans: Scans, found: Iterable[Scan]) -> list[str]:
    """Every file that says when a row was measured: scans, and what lies beside them."""
    paths: dict[str, None] = {}
    for scan in found:
        every = [*scan.paths, *scan.sidecars, *([scan.events] if scan.events else [])]
        paths |= dict.fromkeys(map(str, every))
    return [*paths, *([scans.volumes] if scans.volumes and isinstance(scans.volumes, str) else [])]


def scan_files(scans: Scans, found: Sequence[Scan]) -> list[str]:
    """Every file that the responses are read from."""
    paths = dict.fromkeys(timing_files(scans, found))
    for scan in found:
        beside = [scan.confounds] if scan.confounds and scans.confounds else []
        paths |= dict.fromkeys(map(str, [*beside, *region_files(scans, scan.participant)]))
    return [*paths, *([scans.labels] if scans.labels else [])]


def region_files(scans: Scans, participant: str) -> list[Path]:
    """The files that say where the regions are: one, or one a hemisphere."""
    pattern = (scans.parcels or scans.mask).replace("{participant}", participant)
    if not pattern:
        raise InputError("scans: needs `parcels` or `mask`, which say where the regions are")
    if "{hemi}" not in pattern:
        return [Path(pattern)]
    names = ("lh", "rh") if pattern.endswith(".annot") else HEMISPHERES
    return [Path(pattern.replace("{hemi}", name)) for name in names]


def on_disk(pattern: str) -> list[tuple[dict[str, str], Path]]:
    """Every file that fits a pattern, and what stands in the place of each of its {keys}."""
    parts = re.split(r"\{(\w+)\}", pattern)
    expression, seen = "", set()
    for place, part in enumerate(parts):
        if place % 2 == 0:
            expression += re.escape(part)
        else:
            expression += f"(?P={part})" if part in seen else f"(?P<{part}>[^/]+?)"
            seen.add(part)
    paths = glob.glob("*".join(glob.escape(part) for part in parts[::2]))
    found = [(re.fullmatch(expression, path), Path(path)) for path in sorted(paths, key=natural)]
    return [(match.groupdict(), path) for match, path in found if match]


def natural(name: str) -> list[tuple[bool, int, str]]:
    """A key that sorts numbers in names as numbers."""
    return [(c.isdigit(), int(c) if c.isdigit() else 0, c) for c in re.split(r"(\d+)", str(name))]


def _planned(scans: Scans, stories: Sequence[str], participants: Sequence[str]) -> list[Scan]:
    """The files of a folder in BIDS that a rule is to make, as fMRIPrep would name them."""
    root, found = Path(scans.bids), []
    for who in participants:
        for story in stories:
            name = f"sub-{who}/func/sub-{who}_task-{story}"
            ends = [f"_space-{scans.space}_desc-{scans.desc}_bold.nii.gz"]
            if not scans.desc:
                ends = [f"_hemi-{side}_space-{scans.space}_bold{SURFACE}" for side in HEMISPHERES]
            paths = tuple(root / f"{name}{end}" for end in ends)
            sidecar = root / f"task-{story}_bold.json"
            confounds = root / f"{name}_desc-confounds_timeseries.tsv"
            found.append(Scan(story, who, paths, (sidecar,), None, confounds))
    return found


def _by_pattern(scans: Scans, stories: Sequence[str], participants: Sequence[str]) -> list[Scan]:
    for key in ("{participant}", "{story}"):
        if key not in scans.files:
            raise InputError(f"scans.files is {scans.files!r}; it needs {key} in its place")
    runs: dict[tuple[str, str], dict[str, Path]] = {}
    for names, path in on_disk(scans.files):
        who, story = names["participant"], names["story"]
        if story in stories and (who in participants or not participants):
            runs.setdefault((who, story), {})[names.get("hemi", "")] = path
    return [
        Scan(story, who, _whole(paths, scans.files), tuple(_beside(next(iter(paths.values())))))
        for (who, story), paths in runs.items()
    ]


def _beside(path: Path) -> list[Path]:
    name = path.name
    for end in (*VOLUMES, SURFACE, *HDF5):
        name = name.removesuffix(end)
    own = path.with_name(f"{name}.json")
    return [own] if own.is_file() else []


def _whole(paths: Mapping[str, Path], what: str) -> tuple[Path, ...]:
    """The one file of a run, or those of both hemispheres."""
    if set(paths) == {""}:
        return (paths[""],)
    lacking = [hemi for hemi in HEMISPHERES if hemi not in paths]
    if lacking:
        there = next(iter(paths.values()))
        raise InputError(
            f"{there} has no twin of the hemisphere {lacking[0]} ({what}). A run needs both."
        )
    return tuple(paths[hemi] for hemi in HEMISPHERES)


def entities(path: Path) -> dict[str, str]:
    """What the name of a BIDS file says: its keys and values, `suffix`, and `end`."""
    stem, _, end = path.name.partition(".")
    parts = stem.split("_")
    found = dict(part.split("-", 1) for part in parts if "-" in part)
    return {**found, "suffix": "" if "-" in parts[-1] else parts[-1], "end": f".{end}"}


def _in_bids(
    scans: Scans, stories: Sequence[str], participants: Sequence[str], every: Sequence[str]
) -> list[Scan]:
    root = Path(scans.bids)
    if not root.is_dir():
        raise InputError(f"scans.bids: {root} is no folder")
    there = [path.name.removeprefix("sub-") for path in root.glob("sub-*") if path.is_dir()]
    found = []
    for who in participants or sorted(there, key=natural):
        runs = _runs(scans, root / f"sub-{who}")
        if scans.task:
            own = sorted(runs.get(scans.task, {}).items(), key=lambda run: natural(run[0]))
            told = stories if len(own) == len(stories) else every
            if own and len(own) != len(told):
                numbers = ", ".join(number for number, _ in own)
                raise InputError(
                    f"{root}: participant {who} has {len(own)} runs of the task {scans.task} "
                    f"({numbers}) for {len(told)} stories ({', '.join(told)}). The k-th run is the "
                    "k-th story, so both must be as many."
                )
            placed = zip(told, own, strict=False)
            chosen = [(story, paths) for story, (_, paths) in placed if story in stories]
        else:
            chosen = [
                (story, paths)
                for story in stories
                for paths in runs.get(scans.tasks.get(story, story), {}).values()
            ]
        found += [_scan(scans, story, who, paths) for story, paths in chosen]
    return found


def _runs(scans: Scans, folder: Path) -> dict[str, dict[str, tuple[Path, ...]]]:
    """Task → session and run → the files of one participant in the space that is asked for."""
    by_run: dict[tuple[str, str], dict[str, list[Path]]] = {}
    spaces: dict[str, None] = {}
    for path in sorted(folder.rglob("func/*"), key=lambda path: natural(str(path))):
        said = entities(path)
        if said["end"] not in (*VOLUMES, SURFACE) or said["suffix"] not in ("bold", ""):
            continue
        spaces[said.get("space", "")] = None
        if scans.space and said.get("space", "") != scans.space:
            continue
        if scans.desc and said.get("desc", "") != scans.desc:
            continue
        run = "_".join(f"{key}-{said[key]}" for key in ("ses", "run") if key in said)
        files = by_run.setdefault((said.get("task", ""), run), {})
        files.setdefault(said.get("hemi", ""), []).append(path)
    if spaces and not by_run:
        raise InputError(
            f"{folder} has no scan with space {scans.space!r} and desc {scans.desc!r}. Its spaces "
            f"are {', '.join(spaces)}."
        )
    found: dict[str, dict[str, tuple[Path, ...]]] = {}
    for (task, run), files in by_run.items():
        for paths in files.values():
            if len(paths) > 1:
                raise InputError(
                    f"{paths[0]} and {paths[1].name} are of one run. Say which with `scans.space` "
                    "and `scans.desc`."
                )
        if len(files) > 1 and "" in files:
            raise InputError(f"{files[''][0]}: volumes and surfaces of one run; set `scans.space`")
        whole = _whole({hemi: paths[0] for hemi, paths in files.items()}, scans.bids)
        found.setdefault(task, {})[run] = whole
    return found


def _scan(scans: Scans, story: str, participant: str, paths: tuple[Path, ...]) -> Scan:
    said = entities(paths[0])
    roots = [Path(root) for root in (scans.raw, scans.bids) if root]
    sidecars = [path for root in roots for path in _inherited(root, said, ("bold", ""), ".json")]
    events = [path for root in roots for path in _inherited(root, said, ("events",), ".tsv")]
    beside = _inherited(Path(scans.bids), {**said, "desc": "confounds"}, CONFOUNDS, ".tsv")
    confounds = beside[-1] if beside else None
    return Scan(
        story, participant, paths, tuple(sidecars), events[-1] if events else None, confounds
    )


def _inherited(
    root: Path, said: Mapping[str, str], suffixes: Sequence[str], end: str
) -> list[Path]:
    """Files that hold for a run, from the root down to its folder: those that say nothing else."""
    folders = [root, root / f"sub-{said['sub']}"]
    if "ses" in said:
        folders.append(folders[-1] / f"ses-{said['ses']}")
    folders.append(folders[-1] / "func")
    found = []
    for folder in folders:
        for path in sorted(folder.glob(f"*{end}")):
            own = entities(path)
            if own.pop("end") != end or own.pop("suffix") not in suffixes:
                continue
            if "task" in own and own.items() <= said.items():
                found.append((len(own), path))
    # The more a name says, the later it counts.
    return [path for _, path in sorted(found, key=lambda item: item[0])]
