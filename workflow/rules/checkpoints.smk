# Checkpoints of the suites that are trained here: one job a model saves every step.

for suite, settings in CONFIG.suites.items():
    if isinstance(settings, TrainSuite):

        rule:
            name:
                f"train_{suite}"
            output:
                weights=[
                    f"{PATHS.weights('{model}', step)}/model.safetensors"
                    for step in sorted(settings.steps)
                ],
                loss=PATHS.at("checkpoints/{model}/loss.parquet"),
            log:
                PATHS.log("{model}/train"),
            wildcard_constraints:
                model=any_of(GRID.models_of(suite)),
            conda:
                CONDA
            threads: CONFIG.jobs.threads
            params:
                size=lambda wildcards: GRID.model(wildcards.model).size,
                steps=sorted(settings.steps),
                seed=SEED,
                code=code("train.py"),
                provenance=provenance("train.py"),
            script:
                "../scripts/train.py"
