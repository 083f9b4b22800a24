# What all rules share: the checked config, the grid, the paths. No rule builds any of them itself.

import atexit
import logging
import os
import re
import sys
import time
from dataclasses import asdict, replace
from functools import cache

from geomod.base import jobs
from geomod.base.devices import gpus_per_job
from geomod.base.errors import InputError
from geomod.base.files import to_make_anew
from geomod.base.shipped import shipped
from geomod.brain.inputs import (
    map_space,
    published_ceilings,
    response_files,
    row_files,
    sentence_file,
)
from geomod.models.reading import load_readings
from geomod.plan import queue, runs
from geomod.plan.checks import check, check_device, check_task_sets
from geomod.plan.config.suites import HubSuite, TrainSuite
from geomod.plan.costs import Machine
from geomod.plan.datasets import (
    about_rows,
    about_sentences,
    as_files,
    further,
    how_read,
)
from geomod.plan.estimate import Estimate, Room, Sweep, asked, scored_tokens
from geomod.plan.fingerprint import fingerprint
from geomod.plan.grid import ANY_STEP, Grid, Paths, halfway, layers_in
from geomod.plan.loads import dataset_of, deal_loads
from geomod.plan.names import any_of, load_label, of_each, rule_name, rule_of
from geomod.plan.place import Place
from geomod.plan.progress import Progress
from geomod.plan.reading import moved_keys, parse_config, read_configs
from geomod.plan.settings import (
    bos_of,
    cut_of,
    encoding_settings,
    features_of,
    grouping,
    how_scored,
    is_chat,
    published_sources,
    source_of,
    task_sources,
    voxel_settings,
)
from geomod.report.gallery import GALLERY, PARTS, PARTS_OF_RUNS
from geomod.report.words import duration
from geomod.stories.names import word_files

# Relative, as all inputs are: a folder that is moved as a whole has nothing to run again.
RESOURCES = os.path.relpath(shipped("resources"))
TEMPLATES, TEMPLATES_OF_RUNS = (
    [os.path.relpath(shipped(f"workflow/report/{name}")) for name in names]
    for names in (PARTS, PARTS_OF_RUNS)
)
CONDA = "../../envs/geomod.yaml"  # as Snakemake finds it from every file of rules
CONFIG_FILES = list(dict.fromkeys(map(os.path.relpath, workflow.configfiles)))

# Where another workflow uses this one as a module, that workflow's file is the owner of the run.
IS_MODULE = not workflow.modifier.is_main_snakefile()
OWNER = CONFIG_FILES + [os.path.relpath(workflow.main_snakefile)] * IS_MODULE

try:
    runs.check_place(shipped("."))
    if workflow.modifier.skip_configfile:  # the `config:` of a module stands alone
        GIVEN = config, f"`config` of the module in {OWNER[-1]}"
    else:
        # Read here once more, since Snakemake's own reader lets a key given twice pass, and takes
        # numbers inside `--config 'a={b: 1}'` for text.
        values = read_configs(CONFIG_FILES, workflow.config_settings.config)
        GIVEN = values, " + ".join(CONFIG_FILES)
    CONFIG = parse_config(*GIVEN)
    PATHS = Paths(CONFIG.run)
    # Snakemake puts the `prefix:` of a module before inputs, outputs and logs, and before nothing
    # else: parameters, the lock and the record take their paths from here.
    MOVED = Paths(
        CONFIG.run, workflow.modifier.path_modifier.replace_prefix(PATHS.root)
    )
    SECTIONS = CONFIG.each_dataset
    DATASETS = {
        name: as_files(section, MOVED.data(name, "world"))
        for name, section in SECTIONS.items()
    }
    TASK_SETS = task_sources(CONFIG, MOVED.at("world"))
    PUBLISHED = published_sources(CONFIG)
    RECORD = runs.read_record(MOVED.root)
    if workflow.is_main_process:  # jobs parse this file too, and need not check again
        for line in moved_keys(*GIVEN):
            print(line, file=sys.stderr)
        check(CONFIG, DATASETS)
        check_task_sets(TASK_SETS.values())
        runs.check_layout(MOVED.root)
        runs.check_owner(RECORD, CONFIG.run, OWNER)
    GRID = Grid(
        CONFIG, *(RECORD.get(plan) for plan in ("blocks", "training", "geometry"))
    )
    MACHINE = Machine.at(MOVED.beside("machine.json"))
except InputError as error:
    sys.exit(f"\n{error}")  # the last words on the screen, and the only ones about it


def is_there(name, how):
    """Whether what was planned before can be read: datasets that are asked for will be."""
    dataset = dataset_of(name)
    files = how.get("files", [MOVED.data(dataset, "stimuli.parquet")])
    return dataset in SECTIONS or all(map(os.path.exists, files))


READING_PLUGINS = [CONFIG.features.plugins] if CONFIG.features.plugins else []
OWN_READINGS = {
    name: reading.files
    for path in READING_PLUGINS
    for name, reading in load_readings(path).items()
}
# What is read of every dataset beside its features, and the files that it leaves.
FURTHER = {"lens": ["lens.parquet"]} if CONFIG.features.lens else {}
FURTHER |= OWN_READINGS

LOADS = deal_loads(
    {name: how_read(section) for name, section in SECTIONS.items()}
    | {
        key: how
        for name, section in SECTIONS.items()
        for key, how in further(name, section, FURTHER).items()
    }
    | {name: how_scored(source) for name, source in TASK_SETS.items()},
    RECORD.get("loads", []),
    is_there,
)
STORIES = [name for name, section in SECTIONS.items() if section.story]
MADE_UP = [name for name, section in SECTIONS.items() if section.simulate]
SIMULATED = [name for name in MADE_UP if name not in STORIES]
BLOCKS = GRID.blocks()
TRAINING = GRID.training()
MEASURING = GRID.measuring()
SEED = CONFIG.seed
GPU = gpus_per_job(CONFIG.device)
SWEEP = Sweep(
    CONFIG, GRID, LOADS, MOVED, MACHINE, scored_tokens(TASK_SETS.values()), GPU > 0
)


def begin():
    """Take the run for this process alone, clear what killed ones left, and say what is planned."""
    with jobs.last_words():
        if workflow.local_exec:  # which is not known any earlier
            check_device(CONFIG)
        runs.hold(MOVED.root)
        queue.take_over(MOVED.root, name_in_queue())
        logging.getLogger("snakemake.logging").addHandler(Progress())
        runs.end_orphans(MOVED.root)
        runs.sweep(MOVED.root)
        runs.write_record(
            MOVED.root,
            OWNER,
            blocks=by_suite(BLOCKS),
            training=by_suite(TRAINING),
            geometry=by_suite(MEASURING),
            loads=[load.planned for load in LOADS],
        )


def name_in_queue():
    """What the executor calls all jobs of this start, where it sends them to Slurm."""
    return getattr(workflow.scheduler._executor, "run_uuid", "")


def complain(since):
    """Let what failed jobs said to people come last, below all that Snakemake says around it."""
    logs = workflow.modifier.path_modifier.replace_prefix(
        os.path.dirname(PATHS.log(""))
    )
    sentences = jobs.complaints(logs, since)
    if sentences:
        atexit.register(print, "", *sentences, sep="\n", file=sys.stderr)


def finish():
    """Say what this run has found and how long it took, and write the index of all runs anew."""
    from pathlib import Path
    from geomod.report.runs import verdicts, write_index

    claims = Path(MOVED.at("claims.json"))
    if claims.exists():
        write_index(claims.parents[1], TEMPLATES_OF_RUNS[0])
        print(*verdicts(claims), sep="\n")
        print(f"Done in {duration(time.time() - STARTED)}.")
        print(f"Open {MOVED.at('report.html')}; all runs: {MOVED.beside('index.html')}")


def by_suite(blocks):
    """The steps of every block, as the record of a run keeps them."""
    return {
        name: [b.steps for b in blocks if b.suite == name] for name in CONFIG.suites
    }


onstart:
    begin()


onerror:
    complain(STARTED)


STARTED = time.time()

if IS_MODULE and runs.first_time(MOVED.root):
    # Snakemake calls the handlers of the main file alone: put these before its own.
    workflow._onstart = runs.one_after_another(begin, workflow._onstart)
    workflow._onerror = runs.one_after_another(
        lambda: complain(STARTED), workflow._onerror
    )


def here(paths):
    """Files that lie where the config says, or belong to the workflow; no module moves them."""
    return local(paths)


def code(script):
    """Fingerprint of the modules behind a script: a parameter, so that an edit runs its jobs."""
    return fingerprint(str(workflow.source_path(f"../scripts/{script}")))


def provenance(script):
    """What a job writes into its tables about where they came from."""
    stage = os.path.splitext(script)[0]
    return {"stage": stage, "code": code(script), "run": CONFIG.run, "seed": SEED}


@cache
def needed(stage, model, dataset, steps, layers, load):
    """What a job is estimated to cost; of many thousand jobs, few are not alike."""
    return SWEEP.job(stage, model, dataset, steps, layers, load)


def needs(stage, block=None, load=None, model=""):
    """The memory and the time that a job asks its queue for, and more at every further attempt."""
    steps = len(block.steps) if block else 1

    def ask(wildcards, attempt):
        place = wildcards.get("model", model), wildcards.get("dataset", "")
        layers = layers_in(wildcards.get("layers", "all"))
        number = load.number if load else 0
        return asked(needed(stage, *place, steps, layers, number), MACHINE, attempt)

    return {
        "mem_mb": lambda wildcards, attempt: ask(wildcards, attempt)[0],
        "runtime": lambda wildcards, attempt: ask(wildcards, attempt)[1],
    }


def estimated(workers):
    """What the sweep costs, in words."""
    return str(Estimate(SWEEP, workers, Room.here(".")))


def gpu_here(wildcards):
    """The GPUs of this machine that a job takes; those of a cluster are given out by its queue."""
    return GPU if workflow.local_exec else 0


def weights_of(suite, model, steps):
    """Checkpoints that are trained here are inputs; those of a hub never become an edge.

    None of them is `ancient`: a job behind such a file is not even asked whether its parameters
    or its code have changed, as soon as the job before it runs.
    """
    if not isinstance(CONFIG.suites[suite], TrainSuite):
        return []
    return [f"{PATHS.weights(model, step)}/model.safetensors" for step in steps]


def listing_of(suite, model):
    """The listing that pins the commits, where the checkpoints are those of a hub."""
    is_hub = isinstance(CONFIG.suites[suite], HubSuite)
    return [PATHS.at(f"listings/{model}.json")] if is_hub else []


def source(model):
    """Where the checkpoints of a model lie."""
    return asdict(source_of(CONFIG, GRID.model(model), MOVED.weights(model, "{step}")))


def training_of(suite):
    """What the weights hang on that are trained here."""
    is_trained = isinstance(CONFIG.suites[suite], TrainSuite)
    return dict(code=code("train.py"), seed=SEED) if is_trained else {}


def audited(model):
    """What the audit is told of a model: its steps, and where its sizes are found."""
    repo = getattr(CONFIG.suites[model.suite], "repo", "")
    return dict(
        source=source(model.name),
        training=training_of(model.suite),
        repo=repo,
        size=model.size,
        steps=model.steps,
    )


def scored_of_load(load, block):
    """What is said of every task set that a load still serves, at every step of a block."""
    return [
        path
        for name in load.task_sets
        if name in load.wanted
        for path in PATHS.steps("{model}", block.steps, f"competence/{name}.parquet")
    ]


CONTROLS = "controls.safetensors"  # fits of controls: arrays, no table


def encoding_files(model, steps, name, dataset):
    """The parts of an encoding table, one for each block of layers, or the table itself."""
    stem, suffix = os.path.splitext(name)
    if CONFIG.jobs.layers_per_job == "all":
        return PATHS.steps(model, steps, f"{stem}{suffix or '.parquet'}", dataset)
    part = f"layers/{stem}_{{layers}}{suffix or '.parquet'}"
    return PATHS.steps(model, steps, part, dataset)


def untrained_features(suite, model, dataset):
    """Features of step 0, where a baseline needs them and the suite has it."""
    if (
        "untrained" not in CONFIG.encoding.baselines
        or 0 not in CONFIG.suites[suite].steps
    ):
        return []
    return PATHS.step(model, 0, "features.safetensors", dataset)


def rows_of(dataset):
    """The table of a dataset whose rows are those of its features: sentences, or TRs of stories."""
    return PATHS.data(dataset, f"{'rows' if dataset in STORIES else 'stimuli'}.parquet")


def planted_for_listeners(wildcards):
    """What is planted in people who listen, where they are made up."""
    made_up = wildcards.dataset in MADE_UP
    return [PATHS.data(wildcards.dataset, "world/truth.json")] if made_up else []


def nuisances_of(dataset):
    """What responses may follow beside texts: a table of the dataset's own, or confounds of scans,
    unless these are regressed out."""
    scans = DATASETS[dataset].scans
    if scans and scans.confounds and not scans.regress:
        return [PATHS.data(dataset, "confounds.parquet")]
    return of_rows("nuisances", dataset)


def control_fits(wildcards):
    """The fits of the controls, by checkpoint and block of layers."""
    return [path for _, path in placed_fits(wildcards.dataset)]


def placed_fits(dataset):
    """(model, step), and a file of fits there."""
    return [
        (place, path.replace("{layers}", layers))
        for place in GRID.checkpoints()
        for (path,) in [encoding_files(*place[:1], place[1:], CONTROLS, dataset)]
        for layers in GRID.layer_blocks(place[0])
    ]


def shapes():
    """The shapes of the models, or why they are not known."""
    try:
        return GRID.shapes()
    except InputError as error:
        sys.exit(f"\n{error}")


def of_rows(key, dataset):
    """What is known of rows beyond their text: the table of a key that the dataset may have."""
    given = getattr(SECTIONS[dataset], key)
    return [PATHS.data(dataset, f"{key}.parquet")] if given else []


def of_checkpoints(name):
    """What each checkpoint has to say in a table of a dataset, a file each."""
    return [
        PATHS.step(model, step, f"{name}.parquet", "{dataset}")
        for model, step in GRID.checkpoints()
    ]


def of_datasets(kind, names=tuple(SECTIONS)):
    """What each dataset brings to a table, a file each."""
    return [PATHS.table(kind, name) for name in names]


def of_participant(wildcards):
    """The dataset that is mapped, with this participant alone."""
    return replace(DATASETS[CONFIG.mapped], participants=[wildcards.participant])


def maps_of(model, participant, suffix):
    """The maps of a participant over the steps and layers of the section `maps`."""
    kept = CONFIG.maps.kept(suffix.partition(".")[0])
    return [
        PATHS.voxels(Place(model, step, CONFIG.mapped), participant, layer, suffix)
        for step, layer in kept
    ]


def all_maps(wildcards):
    """The files of the section `maps`; what is no volume has no space to draw in."""
    maps = CONFIG.maps
    if maps is None:
        sys.exit("\nthe config has no section `maps`, which says what is to be mapped")
    kinds = ["", "change.", "selectivity."]
    is_image = map_space(DATASETS[CONFIG.mapped], maps.participants[0]) is not None
    suffixes = [kind + file for kind in kinds for file in ("nii.gz", "png")]
    table = [PATHS.table("moran", CONFIG.mapped)] if is_image else []
    return table + [
        path
        for model in maps.models
        for participant in maps.participants
        for suffix in (suffixes if is_image else ["parquet"])
        for path in maps_of(model, participant, suffix)
    ]


def inference_settings(wildcards):
    """What the tests of a dataset are told."""
    return CONFIG.inference.told_of(wildcards.dataset)


def compared(file):
    """A file of each of the runs that are set side by side."""
    if len(CONFIG.runs) < 2:
        sys.exit("\nsay which runs to compare: --config 'runs=[a, b]'")
    return [here(file(Paths(name))) for name in CONFIG.runs]


def simulation(name):
    """The section `simulate` of a dataset, and the seed of its brain."""
    made = SECTIONS[name].simulate.model_dump()
    return {**made, "seed": SEED if made["seed"] is None else made["seed"]}


def grouping_of(wildcards):
    """What decides whether groups of sentences allow the folds."""
    found = grouping(CONFIG, wildcards.dataset)
    return found and asdict(found)


def of_load(load, block):
    """Files of every dataset that a load still serves, at every step of a block."""
    return [
        path
        for dataset, file in load.files(FURTHER)
        for path in PATHS.steps("{model}", block.steps, file, dataset)
    ]


def planted_in(wildcards):
    """What is planted in a dataset, where it is simulated."""
    names = [name for name in SIMULATED if name == wildcards.dataset]
    return [PATHS.data(name, "world/truth.json") for name in names]


def recovered_in(wildcards):
    """What came back of what is planted in a dataset, where it is simulated."""
    return [
        PATHS.table("recovery", name) for name in SIMULATED if name == wildcards.dataset
    ]


def reader_of_made_up_times():
    """The task set of made-up reading times, and the model and step that readers are like."""
    for name, section in CONFIG.competence.items():
        if section.reader:
            return name, section.reader.model, section.reader.step


# Figures of the headline lie in figures/ itself, those of any other dataset in a folder there.
FOLDERS = {name: None if name == next(iter(SECTIONS)) else name for name in SECTIONS}
PLATES = [
    (dataset, name)
    for dataset, folder in FOLDERS.items()
    for name, plate in GALLERY.items()
    if folder is None or not plate.over_datasets
]


def figure_files(suffix, paths=PATHS):
    """Every figure of every dataset; its caption, with the suffix `rst`."""
    return [paths.figure(name, suffix, FOLDERS[dataset]) for dataset, name in PLATES]


def captions():
    """What Snakemake's own report says of every figure: made with the page, from the tables. Where
    the rules come out of a repository, Snakemake looks for captions there alone."""
    if BY_PATH:
        return list(map(os.path.abspath, figure_files("rst", MOVED)))
    return ["../report/figure.rst"] * len(PLATES)
