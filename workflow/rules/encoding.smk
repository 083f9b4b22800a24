# Ridge encoding models from every layer to every region.


LAYERS = "" if CONFIG.jobs.layers_per_job == "all" else "_{layers}"
SCORES = ("encoding", "folds", "baselines")
# What a fit is to answer beside the real responses, where the config asks for controls.
control_responses = [
    PATHS.data("{dataset}", f"controls/{file}")
    for file in ("targets.parquet", "columns.safetensors")
    if CONFIG.controls
]


# A rule a model, as for geometry.
for block, model in GRID.of_models(FITTING):

    rule:
        name:
            rule_name("encoding", block, model=model)
        input:
            stimuli=(
                of_each(SECTIONS, rows_of)
                if STORIES
                else PATHS.data("{dataset}", "stimuli.parquet")
            ),
            responses=PATHS.data("{dataset}", "responses.parquet"),
            ceiling=PATHS.data("{dataset}", "ceiling.parquet"),
            splits=of_each(SECTIONS, lambda dataset: of_rows("splits", dataset)),
            nuisances=of_each(SECTIONS, nuisances_of),
            features=PATHS.steps(
                model, block.steps, "features.safetensors", "{dataset}"
            ),
            untrained=untrained_features(block.suite, model, "{dataset}"),
            controls=control_responses,
        output:
            scores=encoding_files(model, block.steps, "encoding", "{dataset}"),
            folds=encoding_files(model, block.steps, "folds", "{dataset}"),
            baselines=encoding_files(model, block.steps, "baselines", "{dataset}"),
            controls=(
                encoding_files(model, block.steps, CONTROLS, "{dataset}")
                if CONFIG.controls
                else []
            ),
        log:
            PATHS.log(f"{model}/{{dataset}}/encoding_{block.label}{LAYERS}"),
        benchmark:
            PATHS.benchmark("encoding", f"{model}/{{dataset}}/{block.label}{LAYERS}")
        conda:
            CONDA
        threads: CONFIG.jobs.threads
        resources:
            **needs("encoding", block, model=model),
            gpu=GPU,
            gpu_here=gpu_here,
        params:
            model=model,
            # The steps are those of the outputs.
            layers="{layers}" if LAYERS else "all",
            encoding=of_each(
                SECTIONS, lambda dataset: asdict(encoding_settings(CONFIG, dataset))
            ),
            device=CONFIG.device,
            code=code("encoding.py"),
            provenance=provenance("encoding.py"),
        script:
            "../scripts/encoding.py"


if LAYERS:

    rule join_layers:
        input:
            **{
                table: lambda wildcards, table=table: [
                    PATHS.step(
                        wildcards.model,
                        wildcards.step,
                        f"layers/{table}_{layers}.parquet",
                        wildcards.dataset,
                    )
                    for layers in GRID.layer_blocks(wildcards.model)
                ]
                for table in SCORES
            },
        output:
            **{
                table: PATHS.step("{model}", "{step}", f"{table}.parquet", "{dataset}")
                for table in SCORES
            },
        log:
            PATHS.log("{model}/{dataset}/join_layers_{step}"),
        benchmark:
            PATHS.benchmark("join_layers", "{model}/{dataset}/{step}")
        conda:
            CONDA
        resources:
            **needs("join_layers"),
        params:
            code=code("tables.py"),
            provenance=provenance("tables.py"),
        script:
            "../scripts/tables.py"


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
    resources:
        **needs("in_time"),
    params:
        checkpoints=[(model.name, model.steps[-1]) for model in GRID.models],
        encoding=lambda wildcards: asdict(encoding_settings(CONFIG, wildcards.dataset)),
        tr=lambda wildcards: DATASETS[wildcards.dataset].told.tr,
        code=code("in_time.py"),
        provenance=provenance("in_time.py"),
    script:
        "../scripts/in_time.py"


rule encoding_tables:
    input:
        **{table: of_checkpoints(table) for table in SCORES},
    output:
        **{table: PATHS.table(table, "{dataset}") for table in SCORES},
    log:
        PATHS.log("data/{dataset}/encoding_tables"),
    benchmark:
        PATHS.benchmark("encoding_tables", "{dataset}")
    conda:
        CONDA
    resources:
        **needs("encoding_tables"),
    params:
        code=code("tables.py"),
        provenance=provenance("tables.py"),
    script:
        "../scripts/tables.py"
