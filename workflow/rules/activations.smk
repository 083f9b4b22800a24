# One forward pass a checkpoint. A checkpoint is fetched, verified, read and evicted inside the job.
# One rule a block of steps, since outputs cannot be functions of wildcards.

FEATURES = CONFIG.features


for block, load in [(block, load) for block in BLOCKS for load in LOADS]:

    rule:
        name:
            rule_name("activations", block, load)
        input:
            stimuli=[PATHS.data(name, "stimuli.parquet") for name in load.datasets],
            task_sets=here(
                [file for how in load.task_sets.values() for file in how["files"]]
            ),
            stories=[
                PATHS.data(name, file)
                for name, how in load.datasets.items()
                for file in ("words.parquet", "rows.parquet")
                if how["reading"] == "story"
            ],
            weights=weights_of(block.suite, "{model}", block.steps),
            listing=listing_of(block.suite, "{model}"),
            plugins=here(READING_PLUGINS if load.has_any_of(OWN_READINGS) else []),
        output:
            # What is the model's own is kept once, by the first load.
            sketches=PATHS.steps("{model}", block.steps, "sketch.safetensors")
            * load.is_first,
            readings=of_load(load, block),
            scored=scored_of_load(load, block),
        log:
            PATHS.log(
                "_".join([f"{{model}}/activations_{block.label}", *load_label(load)])
            ),
        benchmark:
            PATHS.benchmark(
                "activations",
                "_".join([f"{{model}}/{block.label}", *load_label(load)]),
            )
        wildcard_constraints:
            model=any_of(GRID.models_of(block.suite)),
        conda:
            CONDA
        threads: CONFIG.jobs.threads
        resources:
            **needs("activations", block, load),
            gpu=GPU,
            gpu_here=gpu_here,
            # Limits that change no number; as parameters, a new one would run every job again.
            store_mb=int(1000 * FEATURES.max_disk_gb),
            downloads=FEATURES.downloads,
        params:
            source=lambda wildcards: source(wildcards.model),
            training=training_of(block.suite),
            store=MOVED.at("checkpoints/hub"),
            readings=load.readings,
            task_sets=load.task_sets,
            bos=bos_of(CONFIG, block.suite) if load.task_sets else "",
            features=features_of(CONFIG, block.suite),
            chat_template=is_chat(CONFIG, block.suite),
            blocks=FEATURES.blocks,
            dtype=FEATURES.dtype,
            spread=FEATURES.spread,
            device=CONFIG.device,
            code=code("activations.py"),
            provenance=provenance("activations.py"),
        script:
            "../scripts/activations.py"


if FEATURES.lens:

    rule lens_table:
        input:
            lens=of_checkpoints("lens"),
        output:
            lens=PATHS.table("lens", "{dataset}"),
        log:
            PATHS.log("data/{dataset}/lens_table"),
        benchmark:
            PATHS.benchmark("lens_table", "{dataset}")
        conda:
            CONDA
        resources:
            **needs("lens_table"),
        params:
            code=code("tables.py"),
            provenance=provenance("tables.py"),
        script:
            "../scripts/tables.py"


rule tokens_table:
    input:
        of_checkpoints("tokens"),
    output:
        PATHS.table("tokens", "{dataset}"),
    log:
        PATHS.log("data/{dataset}/tokens_table"),
    benchmark:
        PATHS.benchmark("tokens_table", "{dataset}")
    conda:
        CONDA
    resources:
        **needs("tokens_table"),
    params:
        code=code("tokens.py"),
        provenance=provenance("tokens.py"),
    script:
        "../scripts/tokens.py"
