"""Responses of real or simulated brains: one reader interface, several readers, the same checks.

A reader takes the `dataset` section of the config and the sentences, and gives a long table with a
row for every response (item_id, region, participant, response; NaN where there is none) in the
order of the data, regions by the config's names, and a list of what it left out and why. A new kind
of data is one such function and one line in READERS.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from geomod.base.errors import InputError
from geomod.base.sheets import listed
from geomod.brain.dataset import Dataset
from geomod.brain.inputs import AVERAGE, check_participants, every_story
from geomod.brain.own import read_own
from geomod.brain.stimuli import MIN_SENTENCES
from geomod.brain.tables import read_tables
from geomod.brain.voxels import Voxels

Read = tuple[pd.DataFrame, list[str]]
Reader = Callable[[Dataset, pd.DataFrame], Read]


# Whoever has tables needs no reader of images: these come where they are asked for.
def _nifti(dataset: Dataset, stimuli: pd.DataFrame) -> Read:
    from geomod.brain.nifti import read_nifti

    return read_nifti(dataset, stimuli)


def _assembly(dataset: Dataset, stimuli: pd.DataFrame) -> Read:
    from geomod.brain.assembly import read_assembly

    return read_assembly(dataset, stimuli)


READERS: dict[str, Reader] = {
    "responses": read_tables,
    "nifti": _nifti,
    "assembly": _assembly,
    "reader": read_own,
}


class Responses(NamedTuple):
    """What a brain answered, and what was left out or is worth knowing."""

    table: pd.DataFrame  # item_id, region, participant, response; participant may be 'average'
    notes: list[str]


class Block(NamedTuple):
    """Targets that have responses to the same sentences, and so are fitted together."""

    rows: np.ndarray  # where in the sentences (and in the features) each row of the matrix lies
    matrix: np.ndarray  # float64 [rows, targets]
    targets: pd.DataFrame  # region, participant of each column


def read_responses(dataset: Dataset, stimuli: pd.DataFrame) -> Responses:
    """The responses of every participant and of their average, checked, with notes.

    Rows come sentence by sentence in the order of the data, which is the order that defines the
    folds. What carries no information is left out and counted in the notes: missing responses, and
    a participant's region that is constant or has fewer than 20 responses.
    """
    kinds = [kind for kind in READERS if getattr(dataset, kind)]
    if len(kinds) != 1:
        raise InputError(
            f"dataset {dataset.name!r} must say where the responses are, by exactly one "
            f"of {listed(READERS)}; it has {listed(kinds)}."
        )
    source = dataset.responses or f"dataset.{kinds[0]}"
    long, notes = READERS[kinds[0]](dataset, stimuli)
    if kinds[0] in ("nifti", "assembly"):  # a table may be of the average alone, and is checked
        check_participants(long["participant"].unique(), source)
    found = checked(dataset, long, notes, stimuli, source)
    return Responses(found.table, [*found.notes, *_repeats(stimuli)])


def checked(
    dataset: Dataset,
    long: pd.DataFrame,
    notes: list[str],
    stimuli: pd.DataFrame,
    source: str,
    unit: str = "sentences",
) -> Responses:
    """What a reader found, without what carries no information, and with the average."""
    items, targets, values = as_matrix(long)
    order = targets["region"].map(list(dataset.regions).index).argsort(kind="stable")
    targets, values = targets.iloc[order], values[:, order]
    keep, left_out = _informative(targets, values)
    for region in dataset.regions:
        if not keep[targets["region"] == region].any():
            raise InputError(
                f"{source}: region {region!r} has no responses to learn from: "
                + "; ".join(left_out)
            )
    targets, values = targets[keep].reset_index(drop=True), values[:, keep]
    said = [*notes, *left_out, *_alone(targets), *_twins(targets, values)]
    said += _gaps(stimuli, items, targets, values, unit)
    return Responses(_long(items, *_with_average(targets, values)), said)


def read_voxels(dataset: Dataset, stimuli: pd.DataFrame, participant: str) -> Voxels:
    """One participant's responses voxel by voxel, for maps; tables have none."""
    if dataset.nifti:
        from geomod.brain.nifti import read_nifti_voxels

        return read_nifti_voxels(dataset, stimuli, participant)
    if dataset.assembly:
        from geomod.brain.assembly import read_assembly_voxels

        return read_assembly_voxels(dataset, stimuli, participant)
    if dataset.scans:
        from geomod.brain.story import read_story_voxels
        from geomod.brain.story_runs import find_runs
        from geomod.stories.names import story_names

        told = find_runs(dataset, story_names(dataset.told), every_story(dataset))
        return read_story_voxels(dataset, told, participant)
    raise InputError("voxelwise scores need images or an assembly; a table has none.")


def response_blocks(table: pd.DataFrame, stimuli: pd.DataFrame) -> list[Block]:
    """The table as matrices to fit, rows in the order of the responses.

    One block holds all targets if every participant answered to the same sentences. In an
    unbalanced design a participant's own scores are computed on the sentences that this participant
    has, so targets with the same sentences share a block.
    """
    items, targets, values = as_matrix(table)
    where = pd.Index(stimuli["item_id"]).get_indexer(pd.Index(items))
    if (where < 0).any():
        raise ValueError(f"responses to {items[np.argmin(where)]!r}, which is not in the sentences")
    patterns = pd.Series([column.tobytes() for column in ~np.isnan(values).T])
    blocks = []
    for columns in patterns.groupby(patterns, sort=False).indices.values():
        rows = ~np.isnan(values[:, columns[0]])
        blocks.append(
            Block(
                where[rows],
                values[np.ix_(rows, columns)],
                targets.iloc[columns].reset_index(drop=True),
            )
        )
    return blocks


def as_matrix(long: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame, np.ndarray]:
    """Items, targets (region, participant) and responses [items, targets], NaN where missing."""
    item, items = pd.factorize(long["item_id"])
    names = long[["region", "participant"]]
    target = names.groupby(["region", "participant"], sort=False).ngroup().to_numpy()
    targets = names.drop_duplicates(ignore_index=True)
    values = np.full((len(items), len(targets)), np.nan)
    values[item, target] = long["response"]
    return np.asarray(items, dtype=object), targets, values


def _long(items: np.ndarray, targets: pd.DataFrame, values: np.ndarray) -> pd.DataFrame:
    """The inverse of `as_matrix`, without the missing responses."""
    row, column = np.nonzero(~np.isnan(values))
    table = targets.iloc[column].reset_index(drop=True)
    table.insert(0, "item_id", items[row])
    table["response"] = values[row, column]
    return table


def _informative(targets: pd.DataFrame, values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Which targets can be correlated with anything, and what is said about the others."""
    keep = np.ones(len(targets), dtype=bool)
    notes = []
    for i, (region, participant) in enumerate(targets.itertuples(index=False)):
        found = values[~np.isnan(values[:, i]), i]
        if len(found) < MIN_SENTENCES:
            reason = f"has {len(found)} responses, fewer than {MIN_SENTENCES}"
        elif np.ptp(found) <= 1e-9 * np.abs(found).max():
            reason = f"is constant ({found[0]:g})"
        else:
            continue
        keep[i] = False
        who = "" if participant == AVERAGE else f" of participant {participant}"
        notes.append(f"region {region}{who} {reason}, and is left out")
    return keep, notes


def _with_average(targets: pd.DataFrame, values: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """The targets, with the mean over participants before each region's participants."""
    if (targets["participant"] == AVERAGE).all():
        return targets, values
    names, columns = [], []
    for region in targets["region"].unique():
        own = values[:, targets["region"] == region]
        count = (~np.isnan(own)).sum(axis=1)
        average = np.where(count > 0, np.nansum(own, axis=1) / np.maximum(count, 1), np.nan)
        participants = targets.loc[targets["region"] == region, "participant"]
        names += [(region, AVERAGE), *((region, participant) for participant in participants)]
        columns += [average[:, None], own]
    return pd.DataFrame(names, columns=["region", "participant"]), np.hstack(columns)


def _alone(targets: pd.DataFrame) -> list[str]:
    """What cannot be known of one brain, or of an average without those who are behind it."""
    people = targets["participant"].unique()
    if len(people) > 1:
        return []
    who = "no participants" if people[0] == AVERAGE else f"one participant, {people[0]}"
    return [
        f"{who}: there is no noise ceiling (unless dataset.ceiling names a table of ceilings), and "
        "no interval over participants: for claim 2 none at all where there is one model"
    ]


def _twins(targets: pd.DataFrame, values: np.ndarray) -> list[str]:
    """Participants whose responses are the same, number by number: a copied file, most likely."""
    own: dict[str, list[bytes]] = {}
    for region, participant, column in zip(
        targets["region"], targets["participant"], values.T, strict=True
    ):
        own.setdefault(participant, []).append(region.encode() + column.tobytes())
    same: dict[tuple[bytes, ...], list[str]] = {}
    for participant, columns in own.items():
        same.setdefault(tuple(columns), []).append(participant)
    return [
        f"participants {listed(names)} have the same responses everywhere: is one a copy of "
        "another? The noise ceiling takes them for people who agree"
        for names in same.values()
        if len(names) > 1
    ]


def _gaps(
    stimuli: pd.DataFrame, items: np.ndarray, targets: pd.DataFrame, values: np.ndarray, unit: str
) -> list[str]:
    """What is missing, counted: sentences without responses, and an unbalanced design."""
    present = ~np.isnan(values)
    notes = []
    silent = set(stimuli["item_id"]) - set(items[present.any(axis=1)])
    if silent:
        first = [item for item in stimuli["item_id"] if item in silent]
        notes.append(
            f"{len(silent)} of {len(stimuli)} {unit} have no response and are left out: "
            f"{listed(first, 5)}"
        )
    used = present[present.any(axis=1)]
    lacking = (~used).sum(axis=0)
    if lacking.any():
        said = [
            f"{participant} in {region} {count}"
            for (region, participant), count in zip(
                targets.itertuples(index=False), lacking, strict=True
            )
            if count
        ]
        notes.append(
            f"unbalanced: of {len(used)} {unit}, these responses are missing, and averages are "
            f"over the participants who have one: {listed(said, 6)}"
        )
    return notes


def _repeats(stimuli: pd.DataFrame) -> list[str]:
    repeated = int(stimuli["sentence"].duplicated(keep=False).sum())
    if not repeated:
        return []
    return [
        f"{repeated} sentences occur under more than one item_id: unless encoding.group_by keeps "
        "them together, a model is tested on sentences that it was trained on"
    ]
