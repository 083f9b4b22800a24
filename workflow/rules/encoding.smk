# Ridge encoding models from every layer to every region.


LAYERS = "" if CONFIG.jobs.layers_per_job == "all" else "_{layers}"

for block in BLOCKS:

    rule:
        name:
            rule_name("encoding", block)
        input:
            stimuli=PATHS.at("stimuli.parquet"),
            responses=PATHS.at("brain/responses.parquet"),
            ceiling=PATHS.at("brain/ceiling.parquet"),
            features=PATHS.steps("{model}", block.steps, "features.safetensors"),
            untrained=untrained_features(block.suite, "{model}"),
        output:
            scores=encoding_files("{model}", block.steps, "encoding"),
            folds=encoding_files("{model}", block.steps, "folds"),
            baselines=encoding_files("{model}", block.steps, "baselines"),
        log:
            PATHS.log(f"{{model}}/encoding_{block.label}{LAYERS}"),
        wildcard_constraints:
            model=any_of(GRID.models_of(block.suite)),
        conda:
            CONDA
        threads: CONFIG.jobs.threads
        resources:
            gpu=GPU,
            gpu_here=gpu_here,
        params:
            steps=steps_of(block),
            layers=lambda wildcards: wildcards.get("layers", "all"),
            encoding=asdict(encoding_settings(CONFIG)),
            device=CONFIG.device,
            code=code("encoding.py"),
            provenance=provenance("encoding.py"),
        script:
            "../scripts/encoding.py"


if CONFIG.jobs.layers_per_job != "all":

    rule join_layers:
        input:
            lambda wildcards: [
                PATHS.step(
                    wildcards.model,
                    wildcards.step,
                    f"layers/{wildcards.name}_{layers}.parquet",
                )
                for layers in GRID.layer_blocks(wildcards.model)
            ],
        output:
            PATHS.step("{model}", "{step}", "{name}.parquet"),
        log:
            PATHS.log("{model}/join_{name}_{step}"),
        wildcard_constraints:
            name="encoding|folds|baselines",
        conda:
            CONDA
        params:
            kind=lambda wildcards: wildcards.name,
            code=code("stack.py"),
            provenance=provenance("stack.py"),
        script:
            "../scripts/stack.py"


for table in ("encoding", "folds", "baselines"):

    rule:
        name:
            f"{table}_table"
        input:
            [
                PATHS.step(model, step, f"{table}.parquet")
                for model, step in GRID.checkpoints()
            ],
        output:
            PATHS.table(table),
        log:
            PATHS.log(f"{table}_table"),
        conda:
            CONDA
        params:
            kind=table,
            code=code("stack.py"),
            provenance=provenance("stack.py"),
        script:
            "../scripts/stack.py"
