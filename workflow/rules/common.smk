# What all rules share: the checked config, the grid, the paths. No rule builds any of them itself.

import atexit
import gc
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

if workflow.is_main_process:
    # A plan makes millions of objects, and they stay: to look for dead ones among them as often as
    # Python does by itself takes an eighth of its time.
    gc.set_threshold(100_000, 50, 1000)

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
        CONFIG,
        *(RECORD.get(plan) for plan in ("blocks", "training", "geometry", "encoding")),
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
FITTING = GRID.fitting()
SEED = CONFIG.seed
GPU = gpus_per_job(CONFIG.device)
SWEEP = Sweep(
    CONFIG, GRID, LOADS, MOVED, MACHINE, scored_tokens(TASK_SETS.values()), GPU > 0
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
