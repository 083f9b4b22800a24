# One forward pass a checkpoint. A checkpoint is fetched, verified, read and evicted inside the job.
# One rule a block of steps, since outputs cannot be functions of wildcards.


for block in BLOCKS:

    rule:
        name:
            rule_name("activations", block)
        input:
            stimuli=PATHS.at("stimuli.parquet"),
            weights=weights_of(block.suite, "{model}", block.steps),
            listing=listing_of(block.suite, "{model}"),
        output:
            features=PATHS.steps("{model}", block.steps, "features.safetensors"),
            grams=PATHS.steps("{model}", block.steps, "grams.safetensors"),
            tokens=PATHS.steps("{model}", block.steps, "tokens.parquet"),
            sketches=PATHS.steps("{model}", block.steps, "sketch.safetensors"),
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
            store_mb=int(1000 * CONFIG.features.max_disk_gb),
            downloads=CONFIG.features.downloads,
        params:
            source=lambda wildcards: source(wildcards.model),
            training=lambda wildcards: training_of(wildcards.model),
            store=MOVED.at("checkpoints/hub"),
            features=CONFIG.features.model_dump(
                exclude={"max_disk_gb", "downloads", "match_width"}
            ),
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
