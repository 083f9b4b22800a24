# What checkpoints know of language: from ln p of texts to items, from items to scores of tasks.

TASK_FILES = [file for task_set in TASK_SETS.values() for file in task_set.files]
TOLD = [asdict(task_set) for task_set in TASK_SETS.values()]


for block in BLOCKS if TASK_SETS else []:

    rule:
        name:
            rule_name("items", block)
        input:
            spans=[
                path
                for name in TASK_SETS
                for path in PATHS.steps(
                    "{model}", block.steps, f"competence/{name}.parquet"
                )
            ],
            files=here(TASK_FILES),
        output:
            PATHS.steps("{model}", block.steps, "competence/items.parquet"),
        log:
            PATHS.log(f"{{model}}/items_{block.label}"),
        benchmark:
            PATHS.benchmark("items", f"{{model}}/{block.label}")
        wildcard_constraints:
            model=any_of(GRID.models_of(block.suite)),
        conda:
            CONDA
        params:
            task_sets=TOLD,
            code=code("items.py"),
            provenance=provenance("items.py"),
        script:
            "../scripts/items.py"


# What inference is told of competence: nothing, where none is measured.
COMPETENCE = [PATHS.table("competence")] if CONFIG.competence else []
RETAKEN = [PATHS.table("retaken")] if TASK_SETS else []


rule retaken:
    input:
        of_items=[
            PATHS.step(model, step, "competence/items.parquet")
            for model, step in GRID.checkpoints()
            if TASK_SETS
        ],
        competence=PATHS.table("competence"),
    output:
        PATHS.table("retaken"),
    log:
        PATHS.log("retaken"),
    benchmark:
        PATHS.benchmark("retaken")
    conda:
        CONDA
    params:
        draws=200,
        seed=SEED,
        code=code("retaken.py"),
        provenance=provenance("retaken.py"),
    script:
        "../scripts/retaken.py"


rule competence:
    input:
        of_items=[
            PATHS.step(model, step, "competence/items.parquet")
            for model, step in GRID.checkpoints()
            if TASK_SETS
        ],
        files=here(TASK_FILES),
        published=here(
            [path for source in PUBLISHED.values() for path in source.paths()]
        ),
    output:
        PATHS.table("competence"),
    log:
        PATHS.log("competence"),
    benchmark:
        PATHS.benchmark("competence")
    conda:
        CONDA
    params:
        task_sets=TOLD,
        published=[asdict(source) for source in PUBLISHED.values()],
        code=code("competence.py"),
        provenance=provenance("competence.py"),
    script:
        "../scripts/competence.py"
