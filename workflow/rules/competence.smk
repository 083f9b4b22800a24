# What checkpoints know of language: from ln p of texts to items, from items to scores of tasks.

TASK_FILES = [file for task_set in TASK_SETS.values() for file in task_set.files]
TOLD = [asdict(task_set) for task_set in TASK_SETS.values()]
MADE_UP_TASKS = [each.simulate for each in CONFIG.competence.values() if each.simulate]
READERS = [each.reader for each in CONFIG.competence.values() if each.reader]
TO_READ = MOVED.at("world/words.csv")


if MADE_UP_TASKS:

    rule made_up_tasks:
        output:
            here(
                [
                    (
                        TO_READ
                        if kind == "reading_times"
                        else MOVED.at(f"world/{kind}.csv")
                    )
                    for kind in MADE_UP_TASKS
                ]
            ),
        log:
            PATHS.log("made_up_tasks"),
        benchmark:
            PATHS.benchmark("made_up_tasks")
        conda:
            CONDA
        resources:
            **needs("made_up_tasks"),
        params:
            kinds=MADE_UP_TASKS,
            seed=SEED,
            code=code("made_up_tasks.py"),
        script:
            "../scripts/made_up_tasks.py"


for reader in READERS:

    rule made_up_readers:
        # Who is as surprised by every word as one checkpoint, which is trained in this run.
        input:
            words=here(TO_READ),
            weights=f"{PATHS.weights(reader.model, reader.step)}/model.safetensors",
        output:
            here(MOVED.at("world/reading_times.csv")),
        log:
            PATHS.log("made_up_readers"),
        benchmark:
            PATHS.benchmark("made_up_readers")
        conda:
            CONDA
        threads: CONFIG.jobs.threads
        resources:
            **needs("made_up_readers"),
        params:
            source=source(reader.model),
            step=reader.step,
            training=training_of(GRID.model(reader.model).suite),
            store=MOVED.at("checkpoints/hub"),
            seed=SEED,
            code=code("made_up_readers.py"),
        script:
            "../scripts/made_up_readers.py"


for suite, section in CONFIG.suites.items() if TASK_SETS else []:

    rule:
        # One job a model: a table of items takes a moment, Python and its libraries a second.
        name:
            f"items_{suite}"
        input:
            spans=[
                path
                for name in TASK_SETS
                for path in PATHS.steps(
                    "{model}", section.steps, f"competence/{name}.parquet"
                )
            ],
            files=here(TASK_FILES),
        output:
            PATHS.steps("{model}", section.steps, "competence/items.parquet"),
        log:
            PATHS.log("{model}/items"),
        benchmark:
            PATHS.benchmark("items", "{model}")
        wildcard_constraints:
            model=any_of(GRID.models_of(suite)),
        conda:
            CONDA
        resources:
            **needs("items", block),
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
    resources:
        **needs("retaken"),
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
    resources:
        **needs("competence"),
    params:
        task_sets=TOLD,
        published=[asdict(source) for source in PUBLISHED.values()],
        code=code("competence.py"),
        provenance=provenance("competence.py"),
    script:
        "../scripts/competence.py"
