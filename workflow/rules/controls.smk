# Responses with known answers beside the real ones; and what could be found before there are any.

LARGEST = GRID.largest()


if CONFIG.controls:

    rule control_responses:
        # They hang on the largest model alone, at its last step and at one half-way: another
        # checkpoint changes no control.
        input:
            stimuli=PATHS.data("{dataset}", "stimuli.parquet"),
            ceiling=PATHS.data("{dataset}", "ceiling.parquet"),
            geometry=PATHS.step(
                LARGEST.name, max(LARGEST.steps), "geometry.parquet", "{dataset}"
            ),
            last=PATHS.step(
                LARGEST.name, max(LARGEST.steps), "features.safetensors", "{dataset}"
            ),
            early=PATHS.step(
                LARGEST.name,
                halfway(LARGEST.steps),
                "features.safetensors",
                "{dataset}",
            ),
            own=here(CONFIG.controls.responses or []),
        output:
            targets=PATHS.data("{dataset}", "controls/targets.parquet"),
            columns=PATHS.data("{dataset}", "controls/columns.safetensors"),
        log:
            PATHS.log("data/{dataset}/control_responses"),
        benchmark:
            PATHS.benchmark("control_responses", "{dataset}")
        conda:
            CONDA
        resources:
            **needs("control_responses"),
        params:
            kinds=CONFIG.controls.kinds,
            draws=CONFIG.controls.draws,
            ceiling=CONFIG.controls.ceiling,
            settings=inference_settings,
            headline=COORDINATES,
            seed=SEED,
            code=code("control_responses.py"),
            provenance=provenance("control_responses.py"),
        script:
            "../scripts/control_responses.py"

    rule controls:
        input:
            targets=PATHS.data("{dataset}", "controls/targets.parquet"),
            fits=control_fits,
            checkpoints=PATHS.table("continuity"),
            geometry=PATHS.table("geometry", "{dataset}"),
            encoding=PATHS.table("encoding", "{dataset}"),
            modules=PATHS.table("modules", "{dataset}"),
            tokens=PATHS.table("tokens", "{dataset}"),
            ceiling=PATHS.data("{dataset}", "ceiling.parquet"),
        output:
            table=PATHS.table("controls", "{dataset}"),
            said=PATHS.data("{dataset}", "controls/said.json"),
        log:
            PATHS.log("data/{dataset}/controls"),
        benchmark:
            PATHS.benchmark("controls", "{dataset}")
        conda:
            CONDA
        resources:
            **needs("controls"),
        params:
            places=lambda wildcards: [
                place for place, _ in placed_fits(wildcards.dataset)
            ],
            kinds=CONFIG.controls.kinds,
            draws=CONFIG.controls.draws,
            ceiling=CONFIG.controls.ceiling,
            settings=inference_settings,
            headline=HEADLINE,
            seed=SEED,
            code=code("controls.py"),
            provenance=provenance("controls.py"),
        script:
            "../scripts/controls.py"


rule power:
    # From the grid and assumptions alone: no other job has to have run.
    output:
        table=PATHS.table("power"),
        text=PATHS.at("power.txt"),
    log:
        PATHS.log("power"),
    benchmark:
        PATHS.benchmark("power")
    conda:
        CONDA
    threads: workflow.cores
    resources:
        **needs("power"),
    params:
        shapes=lambda wildcards: shapes(),
        regions=SECTIONS[next(iter(SECTIONS))].regions,
        assumed=CONFIG.power.model_dump(),
        settings=CONFIG.inference.told_of(next(iter(SECTIONS))),
        seed=SEED,
        code=code("power.py"),
        provenance=provenance("power.py"),
    script:
        "../scripts/power.py"
