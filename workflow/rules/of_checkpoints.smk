# What hangs on checkpoints: where they come from, and the files that each of them leaves.


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


def of_load(load, block):
    """Files of every dataset that a load still serves, at every step of a block."""
    return [
        path
        for dataset, file in load.files(FURTHER)
        for path in PATHS.steps("{model}", block.steps, file, dataset)
    ]


def scored_of_load(load, block):
    """What is said of every task set that a load still serves, at every step of a block."""
    return [
        path
        for name in load.task_sets
        if name in load.wanted
        for path in PATHS.steps("{model}", block.steps, f"competence/{name}.parquet")
    ]


def of_checkpoints(name):
    """What each checkpoint has to say in a table of a dataset, a file each."""
    return [
        PATHS.step(model, step, f"{name}.parquet", "{dataset}")
        for model, step in GRID.checkpoints()
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


def placed_fits(dataset):
    """(model, step), and a file of fits there."""
    return [
        (place, path.replace("{layers}", layers))
        for place in GRID.checkpoints()
        for (path,) in [encoding_files(*place[:1], place[1:], CONTROLS, dataset)]
        for layers in GRID.layer_blocks(place[0])
    ]


def control_fits(wildcards):
    """The fits of the controls, by checkpoint and block of layers."""
    return [path for _, path in placed_fits(wildcards.dataset)]


def shapes():
    """The shapes of the models, or why they are not known."""
    try:
        return GRID.shapes()
    except InputError as error:
        sys.exit(f"\n{error}")
