# What all rules share: the checked config, the grid, the paths. No rule builds any of them itself.

import os

from snakemake.exceptions import WorkflowError

import geomod
from geomod import runs
from geomod.config import HubSuite, TrainSuite
from geomod.config_files import parse_config, read_configs
from geomod.datasets import about_sentences, as_files, check_regions
from geomod.devices import gpus_per_job
from geomod.errors import InputError
from geomod.gallery import GALLERY
from geomod.grid import ANY_STEP, Grid, Paths, check_maps, check_steps
from geomod.provenance import fingerprint
from geomod.reading import load_readings
from geomod.sources import published_ceilings, response_files, sentence_file

WORKFLOW = os.path.dirname(os.path.dirname(geomod.__file__))
SCRIPTS = os.path.join(WORKFLOW, "scripts")
# Relative, as all inputs are: a folder that is moved as a whole has nothing to run again.
RESOURCES = os.path.relpath(os.path.join(os.path.dirname(WORKFLOW), "resources"))
CONDA = os.path.join(os.path.dirname(WORKFLOW), "envs", "geomod.yaml")
CONFIG_FILES = [os.path.relpath(path) for path in workflow.configfiles]

try:
    # Read here once more, since Snakemake's own reader lets a key given twice pass, and takes
    # numbers inside `--config 'a={b: 1}'` for text.
    CONFIG = parse_config(
        read_configs(CONFIG_FILES, workflow.config_settings.config),
        " + ".join(CONFIG_FILES),
    )
    PATHS = Paths(CONFIG.run)
    DATASET = as_files(CONFIG.dataset, PATHS.at("world"))
    RESPONSES = response_files(DATASET)
    RECORD = runs.read_record(PATHS.root)
    if workflow.is_main_process:  # jobs parse this file too, and need not check again
        check_steps(CONFIG)
        check_regions(DATASET, simulated=CONFIG.dataset.simulate is not None)
        check_maps(CONFIG)
        runs.check_owner(RECORD, CONFIG.run, CONFIG_FILES)
    GRID = Grid(CONFIG, RECORD.get("blocks"))
except InputError as error:
    raise WorkflowError(str(error))

BLOCKS = GRID.blocks()
SEED = CONFIG.encoding.seed
GPU = gpus_per_job(CONFIG.device)


onstart:
    global LOCK
    LOCK = runs.hold(PATHS.root)
    blocks = {
        name: [b.steps for b in BLOCKS if b.suite == name] for name in CONFIG.suites
    }
    runs.write_record(PATHS.root, CONFIG_FILES, blocks)


def code(script):
    """Fingerprint of the modules behind a script: a parameter, so that an edit runs its jobs."""
    return fingerprint(os.path.join(SCRIPTS, script))


def provenance(script):
    """What a job writes into its tables about where they came from."""
    return {"code": code(script), "run": CONFIG.run, "seed": SEED}


def gpu_here(wildcards):
    """The GPUs of this machine that a job takes; those of a cluster are given out by its queue."""
    return GPU if workflow.local_exec else 0


def any_of(names):
    """A wildcard constraint: one of `names`, literally."""
    return "|".join(name.replace(".", r"\.") for name in names)


def rule_name(stage, block):
    """`activations_toy_3`; without a number where one rule serves every step."""
    number = [] if block.label == ANY_STEP else [block.label]
    return "_".join([stage, block.suite, *number])


def steps_of(block):
    """The steps of a job, as whole numbers."""
    if block.label == ANY_STEP:
        return lambda wildcards: [int(wildcards.step)]
    return block.steps


def weights_of(suite, model, steps):
    """Checkpoints that are trained here are inputs; those of a hub never become an edge.

    Training gives the same weights again, so a newer file with an old step is no reason to run:
    what would be is in the parameters (`trained_by`).
    """
    if not isinstance(CONFIG.suites[suite], TrainSuite):
        return []
    folders = [PATHS.weights(model, step) for step in steps]
    return [ancient(f"{folder}/model.safetensors") for folder in folders]


def listing_of(suite, model):
    """The listing that pins the commits, where the checkpoints are those of a hub."""
    is_hub = isinstance(CONFIG.suites[suite], HubSuite)
    return [PATHS.at(f"listings/{model}.json")] if is_hub else []


def source(model):
    """Where the checkpoints of a model lie: the arguments of `geomod.listings.source_of`."""
    found = GRID.model(model)
    settings = CONFIG.suites[found.suite]
    # Not what only says which of the checkpoints are wanted.
    suite = settings.model_dump(exclude={"steps", "layers"})
    if isinstance(settings, TrainSuite):
        suite |= {"trained_by": code("train.py"), "seed": SEED}
    # The first model's tokenizer serves the whole suite.
    for key in {"sizes", "seeds"} & suite.keys():
        suite[key] = suite[key] and suite[key][:1]
    return dict(
        suite=suite,
        model=model,
        size=found.size,
        seed=found.seed,
        trained=PATHS.weights(model, "{step}"),
    )


def encoding_files(model, steps, name):
    """The parts of an encoding table, one for each block of layers, or the table itself."""
    if CONFIG.jobs.layers_per_job == "all":
        return PATHS.steps(model, steps, f"{name}.parquet")
    return PATHS.steps(model, steps, f"layers/{name}_{{layers}}.parquet")


def untrained_features(suite, model):
    """Features of step 0, where a baseline needs them and the suite has it."""
    if (
        "untrained" not in CONFIG.encoding.baselines
        or 0 not in CONFIG.suites[suite].steps
    ):
        return []
    return PATHS.step(model, 0, "features.safetensors")


def of_participant(wildcards):
    """The dataset, with this participant alone."""
    return {**DATASET, "participants": [wildcards.participant]}


def all_maps(wildcards):
    """The files of the section `maps`; an assembly has no space to draw in."""
    maps = CONFIG.maps
    if maps is None:
        raise WorkflowError(
            "the config has no section `maps`, which says what is to be mapped"
        )
    suffixes = ["parquet"] if CONFIG.dataset.assembly else ["nii.gz", "png"]
    return [
        PATHS.voxels(model, step, participant, layer, suffix)
        for model in maps.models
        for step in maps.steps
        for participant in maps.participants
        for layer in maps.layers
        for suffix in suffixes
    ]


def inference_settings():
    """What the tests are told; how often they are calibrated is not their business."""
    return CONFIG.inference.model_dump(exclude={"calibration_draws"})
