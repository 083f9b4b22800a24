# Checkpoints of the suites that are trained here: one job a model saves every step. A step that
# comes later gets a job of its own, so that nothing else is trained, or measured, again.

for block in TRAINING:

    rule:
        name:
            rule_name("train", block)
        output:
            weights=[
                f"{PATHS.weights('{model}', step)}/model.safetensors"
                for step in block.steps
            ],
            loss=[
                f"{PATHS.weights('{model}', step)}/loss.parquet"
                for step in block.steps
            ],
        log:
            PATHS.log(f"{{model}}/train_{block.label}"),
        benchmark:
            PATHS.benchmark("train", f"{{model}}/{block.label}")
        wildcard_constraints:
            model=any_of(GRID.models_of(block.suite)),
        conda:
            CONDA
        threads: CONFIG.jobs.threads
        params:
            # The steps are those of the outputs: one that is taken out is no reason to train.
            size=lambda wildcards: GRID.model(wildcards.model).size,
            seed=SEED,
            code=code("train.py"),
            provenance=provenance("train.py"),
        script:
            "../scripts/train.py"
