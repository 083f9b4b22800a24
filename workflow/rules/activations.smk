# One forward pass a checkpoint. A checkpoint is fetched, verified, read and evicted inside the job.
# One rule a block of steps, since outputs cannot be functions of wildcards.

FEATURES = CONFIG.features
READING_PLUGINS = [FEATURES.plugins] if FEATURES.plugins else []
READING_FILES = [
    name
    for path in READING_PLUGINS
    for reading in load_readings(path).values()
    for name in reading.files
]


for block in BLOCKS:

    rule:
        name:
            rule_name("activations", block)
        input:
            stimuli=PATHS.at("stimuli.parquet"),
            weights=weights_of(block.suite, "{model}", block.steps),
            listing=listing_of(block.suite, "{model}"),
            plugins=here(READING_PLUGINS),
        output:
            features=PATHS.steps("{model}", block.steps, "features.safetensors"),
            grams=PATHS.steps("{model}", block.steps, "grams.safetensors"),
            tokens=PATHS.steps("{model}", block.steps, "tokens.parquet"),
            sketches=PATHS.steps("{model}", block.steps, "sketch.safetensors"),
            own=[
                path
                for name in READING_FILES
                for path in PATHS.steps("{model}", block.steps, name)
            ],
        log:
            PATHS.log(f"{{model}}/activations_{block.label}"),
        wildcard_constraints:
            model=any_of(GRID.models_of(block.suite)),
        conda:
            CONDA
        threads: CONFIG.jobs.threads
        resources:
            gpu=GPU,
            gpu_here=gpu_here,
            # Limits that change no number; as parameters, a new one would run every job again.
            store_mb=int(1000 * FEATURES.max_disk_gb),
            downloads=FEATURES.downloads,
        params:
            source=lambda wildcards: source(wildcards.model),
            training=lambda wildcards: training_of(wildcards.model),
            store=MOVED.at("checkpoints/hub"),
            reading=CONFIG.dataset.reading,
            features=FEATURES.model_dump(
                include={"pooling", "bos", "first_token", "last_layer"}
            ),
            long=CONFIG.dataset.long,
            blocks=FEATURES.blocks,
            dtype=FEATURES.dtype,
            spread=FEATURES.spread,
            device=CONFIG.device,
            code=code("activations.py"),
            provenance=provenance("activations.py"),
        script:
            "../scripts/activations.py"


rule tokens_table:
    input:
        [
            PATHS.step(model, step, "tokens.parquet")
            for model, step in GRID.checkpoints()
        ],
    output:
        PATHS.table("tokens"),
    log:
        PATHS.log("tokens_table"),
    conda:
        CONDA
    params:
        code=code("tokens.py"),
        provenance=provenance("tokens.py"),
    script:
        "../scripts/tokens.py"
