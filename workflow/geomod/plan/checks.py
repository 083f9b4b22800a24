"""What a config asks of the world, held against it before any job starts.

`check` runs in the process that plans and in no job. It knows what is cheap to know (`look.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from geomod.base.devices import has_gpu
from geomod.base.errors import InputError, called
from geomod.base.files import names_on_disk
from geomod.base.sheets import listed, nearest, require_columns
from geomod.brain.dataset import Dataset
from geomod.brain.glances import glance
from geomod.brain.inputs import check_participants
from geomod.competence.reading import check_names, read_task_set
from geomod.competence.source import Source
from geomod.plan.config.suites import FolderSuite, HubSuite
from geomod.plan.config.whole import Config
from geomod.plan.datasets import as_files
from geomod.plan.grid import Grid, known_steps, width_of
from geomod.plan.look import Known, look
from geomod.plan.settings import bos_of, is_chat


def check(config: Config, datasets: Mapping[str, Dataset]) -> None:
    """Refuse, all at once, what is known to end in an error later."""
    problems = []
    for one in (check_steps, check_width, check_maps, check_tested_regions, check_pairs):
        try:
            one(config)
        except InputError as error:
            problems.append(str(error))
    for name, dataset in datasets.items():
        section = config.each_dataset[name]
        try:
            with called(config.key_of(name)):
                known = look(section, dataset)
        except InputError as error:
            problems.append(str(error))
            continue
        for other in (
            check_people,
            check_mapped_people,
            check_context,
            check_grouping,
            check_order,
            check_splits,
            check_nuisances,
            check_folds,
        ):
            try:
                with called(config.key_of(name)):
                    other(config, name, known)
            except InputError as error:
                problems.append(str(error))
    if problems:
        raise InputError("\n".join(dict.fromkeys(problems)))


# --- Checkpoints --------------------------------------------------------------------------------


def check_steps(config: Config) -> None:
    """Refuse a step that a suite is known not to have."""
    for name, suite in config.suites.items():
        if isinstance(suite, FolderSuite):
            _check_folders(name, suite)
            continue
        known = known_steps(suite)
        missing = sorted(set(suite.steps) - known) if known is not None else []
        if known and missing:
            near = min(known, key=lambda step: (abs(step - missing[0]), step))
            where = suite.repo if isinstance(suite, HubSuite) else "the training of toy models"
            raise InputError(
                f"`suites.{name}.steps`: {where} has no step {missing[0]}; the nearest is {near}"
            )


def _check_folders(name: str, suite: FolderSuite) -> None:
    for size in suite.sizes:
        for step in sorted(suite.steps):
            folder = Path(suite.path.format(size=size, step=step))
            if folder.is_dir():
                continue
            there = names_on_disk(suite.path.replace("{size}", size), "step")
            steps = [found for found in there if found.isdecimal()]
            if steps:
                raise InputError(
                    f"`suites.{name}.steps`: there is no folder {folder}, so {size} has no step "
                    f"{step}; it has {listed(steps)}"
                )
            above = next(parent for parent in folder.parents if parent.is_dir())
            inside = sorted(path.name for path in above.iterdir() if path.is_dir())
            raise InputError(
                f"`suites.{name}.path`: there is no folder {folder}; the folders in {above} are "
                f"{listed(inside)}"
            )


def check_width(config: Config) -> None:
    """Refuse to match a width that a model is known not to have."""
    wanted = config.features.match_width
    for name, suite in config.suites.items():
        for model, (size, _) in suite.models(name).items():
            width = width_of(suite, size)
            if wanted is not None and width is not None and wanted > width:
                raise InputError(
                    f"`features.match_width` is {wanted}, but {model} is {width} wide: set it to "
                    f"{width} or less, or to null to encode from all"
                )


def check_maps(config: Config) -> None:
    """Refuse a map of a model, step or layer that the run does not have, or of responses that are
    no voxels."""
    if config.maps is None:
        return
    dataset = config.mapped
    if dataset not in config.each_dataset:
        raise InputError(
            f"`maps.dataset`: there is no dataset {dataset!r}; "
            f"there are {', '.join(config.each_dataset)}"
        )
    if config.each_dataset[dataset].responses:
        raise InputError("`maps`: a table of responses has no voxels; leave `maps` out")
    models = {model.name: model for model in Grid(config).models}
    for name in config.maps.models:
        if name not in models:
            raise InputError(
                f"`maps.models`: there is no model {name!r}; the run has {', '.join(models)}"
            )
        steps, layers = models[name].steps, models[name].layers
        for step in config.maps.steps:
            if step not in steps:
                raise InputError(
                    f"`maps.steps`: {name} has no step {step}; it has {', '.join(map(str, steps))}"
                )
        if layers is not None and max(config.maps.layers) > layers:
            raise InputError(
                f"`maps.layers`: {name} has no layer {max(config.maps.layers)}; "
                f"it has 0 to {layers}"
            )


def check_pairs(config: Config) -> None:
    """Refuse a model and its tuned version whose texts begin differently."""
    suite_of = {
        model: name for name, suite in config.suites.items() for model in suite.models(name)
    }
    for pair in config.pairs_of_models:
        suites = [suite_of[model] for model in (pair.base, pair.tuned)]
        if any(is_chat(config, suite) for suite in suites):
            continue  # then they begin differently, as was asked
        base, tuned = (bos_of(config, suite) for suite in suites)
        if config.competence and base != tuned:
            raise InputError(
                f"`pairs_of_models`: the `bos` before a text that is scored is {base!r} for "
                f"{pair.base} and {tuned!r} for {pair.tuned}; give both suites the same"
            )


def check_device(config: Config) -> None:
    """Refuse `device: cuda` on a machine that shows no GPU, where jobs run on this machine.

    Not part of `check`: whether they do, or go to a cluster, is known once they start.
    """
    if config.device == "cuda" and not has_gpu():
        raise InputError("`device` is 'cuda', but this machine has no GPU; set it to auto or cpu")


# --- Task sets ----------------------------------------------------------------------------------


def check_task_sets(sources: Iterable[Source]) -> None:
    """Refuse task sets in whose files something is wrong; files that are still to come are left to
    the job that reads them."""
    there = [source for source in sources if all(map(Path.is_file, source.paths()))]
    check_names(read_task_set(source) for source in there)


# --- Data ---------------------------------------------------------------------------------------


def check_tested_regions(config: Config) -> None:
    """Refuse a claim about regions that are not encoded. The defaults ask for nothing, and a list
    for all datasets asks for regions that any of them has."""
    lacking = []
    for key, given in config.regions_told().items():
        if key.split(".")[0] not in config.inference.model_fields_set:
            continue
        every = [region for each in config.each_dataset.values() for region in each.regions]
        sections = " or ".join(f"`{config.key_of(name)}.regions`" for name in config.each_dataset)
        asked = (
            [
                (
                    f"{key}.{name}",
                    names,
                    config.each_dataset[name].regions,
                    f"`{config.key_of(name)}.regions`",
                )
                for name, names in given.items()
            ]
            if isinstance(given, dict)
            else [(key, given, list(dict.fromkeys(every)), sections)]
        )
        lacking += [
            f"`inference.{told}`: {region!r} is not among {where}.{nearest(region, regions)} "
            f"They are {listed(regions)}"
            for told, names, regions, where in asked
            for region in names
            if region not in regions
        ]
    if lacking:
        raise InputError("\n".join(lacking))


def check_people(config: Config, name: str, known: Known) -> None:
    """Refuse participants whom the data lack, or whose name stands for something else."""
    if known.participants is None:
        return
    section = config.each_dataset[name]
    if not section.responses:
        check_participants(section.participants or known.participants, known.source)
    _check_are_there("dataset.participants", section.participants or [], known)


def check_mapped_people(config: Config, name: str, known: Known) -> None:
    """Refuse to map participants whom the run does not have."""
    if known.participants is None or config.maps is None or name != config.mapped:
        return
    kept = config.each_dataset[name].participants or known.participants
    _check_are_there(
        "maps.participants", config.maps.participants, replace(known, participants=kept)
    )


def _check_are_there(key: str, names: Sequence[str], known: Known) -> None:
    there = known.participants or []
    for name in names:
        if name not in there:
            raise InputError(
                f"`{key}`: {known.source} has no participant {name!r}."
                f"{nearest(name, there)} It has {listed(there)}"
            )


def check_context(config: Config, name: str, known: Known) -> None:
    """Refuse to read sentences in passages where no column says which passage is whose."""
    context = config.each_dataset[name].context
    if context == "passage" and known.sentences is not None and not known.groups:
        raise InputError(
            "`dataset.context` is 'passage', but the sentences have no `group`, which says what "
            "passage each is of. Where a column of yours does, say so in `dataset.columns`: "
            "{group: <your name>}"
        )


def check_grouping(config: Config, name: str, known: Known) -> None:
    """Refuse to group sentences by what they do not have."""
    column = config.grouped_by(name)
    if column is None or known.sentences is None:
        return
    if column == "group" and not known.groups:
        raise InputError(
            "`encoding.group_by` is 'group', but the sentences have none. Where a column of yours "
            "says what belongs together, say so in `dataset.columns`: {group: <your name>}"
        )
    if column not in SENTENCES:
        there = column if column in known.columns else "<your name>"
        raise InputError(
            f"`encoding.group_by` is {column!r}, which is no column of the sentences as geomod "
            "reads them. What belongs together (passages, stories) is called `group` here: say "
            f"`encoding.group_by: group`, and, where it has another name in your file, "
            f"`dataset.columns: {{group: {there}}}`"
        )


# The columns of `geomod.brain.stimuli.read_stimuli`.
SENTENCES = ("item_id", "sentence", "group", "n_words", "n_characters", "position")


def check_order(config: Config, name: str, known: Known) -> None:
    """Refuse an order by a column that is not there."""
    section = config.each_dataset[name]
    for column in section.sort_by if known.columns else ():
        if not {column, section.columns.get(column)} & set(known.columns):
            raise InputError(
                f"`dataset.sort_by`: {section.assembly or section.sentences} has no column "
                f"{column!r}.{nearest(column, known.columns)} It has {listed(known.columns)}"
            )


def check_splits(config: Config, name: str, known: Known) -> None:
    """Refuse folds by a column that is not there, or has one value."""
    column = config.each_dataset[name].splits
    if column is None or known.sentences is None:
        return
    if not known.splits:
        raise InputError(
            f"`dataset.splits`: {config.each_dataset[name].sentences} has no column {column!r}."
            f"{nearest(column, known.columns)} It has {listed(known.columns)}"
        )
    if len(known.splits) == 1:
        raise InputError(
            f"`dataset.splits`: every sentence has {known.splits[0]!r} as its {column}; two values "
            "are needed, one to fit on and one to test"
        )


def check_nuisances(config: Config, name: str, known: Known) -> None:
    """Refuse nuisances that are not there, or that nothing is held against."""
    section = config.each_dataset[name]
    if section.nuisances is None:
        return
    if "nuisances" not in config.encoding.baselines:
        raise InputError(
            "`dataset.nuisances` is given, but `encoding.baselines` does not name `nuisances`: add "
            "it, or leave `dataset.nuisances` out"
        )
    path = Path(section.nuisances)
    if not path.is_file() and section.download is None:
        raise InputError(f"`dataset.nuisances`: there is no file {path}")
    seen = glance(path, as_files(section, ""), ["item_id"], where_present=True)
    if seen is not None:
        require_columns(seen.columns, path, ["item_id"])


def check_folds(config: Config, name: str, known: Known) -> None:
    """Refuse more folds than there are sentences, or groups of them, to deal."""
    encoding, count, what, of = config.encoding, known.sentences, "sentence", ""
    if config.each_dataset[name].splits:
        return
    column = config.grouped_by(name)
    if column == "group":
        count, what, of = known.groups, "group", " of sentences"
    if not count:
        return
    if encoding.folds > count:
        there = f"there is 1 {what}" if count == 1 else f"there are {count} {what}s"
        raise InputError(f"`encoding.folds` is {encoding.folds}, but {there}{of}")
    left = count - -(-count // encoding.folds)  # where the largest fold is tested
    inner = encoding.inner_folds
    if inner != "loo" and column is None and inner > left:
        raise InputError(
            f"`encoding.inner_folds` is {inner}, but with `folds` {encoding.folds} of {count} "
            f"sentences {left} {'is' if left == 1 else 'are'} left to train on"
        )
