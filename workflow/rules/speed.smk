# How fast representations move over training, from features and Grams alone: a job a model, since each
# step is compared with others.


rule speed:
    input:
        features=lambda wildcards: PATHS.steps(
            wildcards.model,
            GRID.model(wildcards.model).steps,
            "features.safetensors",
            wildcards.dataset,
        ),
        grams=lambda wildcards: PATHS.steps(
            wildcards.model,
            GRID.model(wildcards.model).steps,
            "grams.safetensors",
            wildcards.dataset,
        ),
        plugins=PLUGINS,
    output:
        PATHS.at("{model}/{dataset}/speed.parquet"),
    log:
        PATHS.log("{model}/{dataset}/speed"),
    benchmark:
        PATHS.benchmark("speed", "{model}/{dataset}")
    wildcard_constraints:
        model=any_of(model.name for model in GRID.models),
    conda:
        CONDA
    resources:
        **needs("speed"),
    params:
        steps=lambda wildcards: GRID.model(wildcards.model).steps,
        seed=SEED,
        code=code("speed.py"),
        provenance=provenance("speed.py"),
    script:
        "../scripts/speed.py"


rule speed_table:
    input:
        speed=[
            PATHS.at(f"{model.name}/{{dataset}}/speed.parquet")
            for model in GRID.models
        ],
    output:
        speed=PATHS.table("speed", "{dataset}"),
    log:
        PATHS.log("data/{dataset}/speed_table"),
    benchmark:
        PATHS.benchmark("speed_table", "{dataset}")
    conda:
        CONDA
    resources:
        **needs("speed_table"),
    params:
        code=code("tables.py"),
        provenance=provenance("tables.py"),
    script:
        "../scripts/tables.py"
