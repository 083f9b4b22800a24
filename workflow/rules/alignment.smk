# Measures of likeness beside the encoding models: they fit nothing, and no fit runs again for them.

ALIGNMENT = CONFIG.alignment

if ALIGNMENT:
    MEASURES = here([ALIGNMENT.plugins] if ALIGNMENT.plugins else [])

    for block in BLOCKS:

        rule:
            name:
                rule_name("alignment", block)
            input:
                stimuli=PATHS.data("{dataset}", "stimuli.parquet"),
                responses=PATHS.data("{dataset}", "responses.parquet"),
                features=PATHS.steps(
                    "{model}", block.steps, "features.safetensors", "{dataset}"
                ),
                voxels=lambda wildcards: (
                    here(response_files(DATASETS[wildcards.dataset]))
                    if ALIGNMENT.patterns
                    else []
                ),
                plugins=MEASURES,
            output:
                PATHS.steps("{model}", block.steps, "alignment.parquet", "{dataset}"),
            log:
                PATHS.log(f"{{model}}/{{dataset}}/alignment_{block.label}"),
            benchmark:
                PATHS.benchmark("alignment", f"{{model}}/{{dataset}}/{block.label}")
            wildcard_constraints:
                model=any_of(GRID.models_of(block.suite)),
            conda:
                CONDA
            resources:
                **needs("alignment", block),
            params:
                dataset=lambda wildcards: asdict(DATASETS[wildcards.dataset]),
                patterns=ALIGNMENT.patterns,
                quantiles=CONFIG.encoding.trsa,
                code=code("alignment.py"),
                provenance=provenance("alignment.py"),
            script:
                "../scripts/alignment.py"

    rule alignment_table:
        input:
            alignment=of_checkpoints("alignment"),
        output:
            alignment=PATHS.table("alignment", "{dataset}"),
        log:
            PATHS.log("data/{dataset}/alignment_table"),
        benchmark:
            PATHS.benchmark("alignment_table", "{dataset}")
        conda:
            CONDA
        resources:
            **needs("alignment_table"),
        params:
            code=code("tables.py"),
            provenance=provenance("tables.py"),
        script:
            "../scripts/tables.py"
