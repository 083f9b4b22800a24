# Ridge encoding models from every layer to every region.


LAYERS = "" if CONFIG.jobs.layers_per_job == "all" else "_{layers}"

for block in BLOCKS:

    rule:
        name:
            rule_name("encoding", block)
        input:
            stimuli=lambda wildcards: rows_of(wildcards.dataset),
            responses=PATHS.data("{dataset}", "responses.parquet"),
            ceiling=PATHS.data("{dataset}", "ceiling.parquet"),
            splits=lambda wildcards: of_rows("splits", wildcards.dataset),
            nuisances=lambda wildcards: nuisances_of(wildcards.dataset),
            features=PATHS.steps(
                "{model}", block.steps, "features.safetensors", "{dataset}"
            ),
            untrained=untrained_features(block.suite, "{model}", "{dataset}"),
            controls=control_responses,
        output:
            scores=encoding_files("{model}", block.steps, "encoding", "{dataset}"),
            folds=encoding_files("{model}", block.steps, "folds", "{dataset}"),
            baselines=encoding_files("{model}", block.steps, "baselines", "{dataset}"),
            controls=(
                encoding_files("{model}", block.steps, CONTROLS, "{dataset}")
                if CONFIG.controls
                else []
            ),
        log:
            PATHS.log(f"{{model}}/{{dataset}}/encoding_{block.label}{LAYERS}"),
        benchmark:
            PATHS.benchmark("encoding", f"{{model}}/{{dataset}}/{block.label}{LAYERS}")
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
            encoding=lambda wildcards: asdict(
                encoding_settings(CONFIG, wildcards.dataset)
            ),
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
                    wildcards.dataset,
                )
                for layers in GRID.layer_blocks(wildcards.model)
            ],
        output:
            PATHS.step("{model}", "{step}", "{name}.parquet", "{dataset}"),
        log:
            PATHS.log("{model}/{dataset}/join_{name}_{step}"),
        benchmark:
            PATHS.benchmark("join_layers", "{model}/{dataset}/{name}_{step}")
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


rule in_time:
    input:
        rows=PATHS.data("{dataset}", "rows.parquet"),
        responses=PATHS.data("{dataset}", "responses.parquet"),
        features=lambda wildcards: [
            PATHS.step(
                model.name,
                model.steps[-1],
                "features.safetensors",
                wildcards.dataset,
            )
            for model in GRID.models
        ],
        truth=planted_for_listeners,
    output:
        impulse=PATHS.data("{dataset}", "impulse.parquet"),
        shuffling=PATHS.data("{dataset}", "shuffling.parquet"),
        figure=report(
            PATHS.data("{dataset}", "in_time.svg"),
            caption="../report/in_time.rst",
            category="Data",
            labels={"dataset": "{dataset}", "figure": "responses in time"},
        ),
    log:
        PATHS.log("data/{dataset}/in_time"),
    benchmark:
        PATHS.benchmark("in_time", "{dataset}")
    wildcard_constraints:
        dataset=any_of(STORIES),
    conda:
        CONDA
    params:
        checkpoints=[(model.name, model.steps[-1]) for model in GRID.models],
        encoding=lambda wildcards: asdict(encoding_settings(CONFIG, wildcards.dataset)),
        tr=lambda wildcards: DATASETS[wildcards.dataset].told.tr,
        code=code("in_time.py"),
        provenance=provenance("in_time.py"),
    script:
        "../scripts/in_time.py"


for table in ("encoding", "folds", "baselines"):

    rule:
        name:
            f"{table}_table"
        input:
            of_checkpoints(table),
        output:
            PATHS.table(table, "{dataset}"),
        log:
            PATHS.log(f"data/{{dataset}}/{table}_table"),
        benchmark:
            PATHS.benchmark(f"{table}_table", "{dataset}")
        conda:
            CONDA
        params:
            kind=table,
            code=code("stack.py"),
            provenance=provenance("stack.py"),
        script:
            "../scripts/stack.py"
