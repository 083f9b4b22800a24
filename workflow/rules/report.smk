# Figures are drawn from the tables alone; the report puts them beside the claims.

# Some tables only some runs have.
HERE = {*STACKED, *(["competence"] if CONFIG.competence else [])}
SHOWN = sorted({name for plate in GALLERY.values() for name in plate.tables} & HERE)


rule figures:
    # One job for all: a figure takes a second, Python and its libraries several.
    input:
        tables=[PATHS.table(name) for name in SHOWN],
        claims=PATHS.at("claims.json"),
        recovery=[PATHS.table("recovery")] if SIMULATED else [],
        calibration=CALIBRATION,
    output:
        svg=[
            report(
                path,
                caption=caption,
                category="Figures",
                labels={"dataset": dataset, "figure": GALLERY[name].title},
            )
            for (dataset, name), path, caption in zip(
                PLATES, figure_files("svg"), captions()
            )
        ],
        pdf=figure_files("pdf"),
        png=figure_files("png"),
    log:
        PATHS.log("figures"),
    benchmark:
        PATHS.benchmark("figures")
    conda:
        CONDA
    resources:
        **needs("figures"),
    params:
        plates=PLATES,
        code=code("figures.py"),
    script:
        "../scripts/figures.py"


rule compare:
    # Of runs that were finished before; none of them runs again for it.
    input:
        claims=lambda wildcards: compared(lambda run: run.at("claims.json")),
        encodings=lambda wildcards: compared(lambda run: run.table("encoding")),
        template=here(TEMPLATES_OF_RUNS),
    output:
        PATHS.beside(f"{'-'.join(['compare', *CONFIG.runs])}.html"),
    log:
        PATHS.log("compare"),
    conda:
        CONDA
    resources:
        **needs("compare"),
    params:
        runs=CONFIG.runs,
        code=code("compare.py"),
    script:
        "../scripts/compare.py"


rule report:
    input:
        claims=PATHS.at("claims.json"),
        notes=[PATHS.data(name, "notes.json") for name in SECTIONS],
        tables=[PATHS.table(name) for name in SHOWN],
        checkpoints=PATHS.table("continuity"),
        calibration=CALIBRATION,
        recovery=[PATHS.table("recovery")] if SIMULATED else [],
        controls=[
            PATHS.data(name, "controls/said.json")
            for name in SECTIONS
            if CONFIG.controls
        ],
        figures=figure_files("svg"),
        listed=PATHS.table("checkpoints"),
        template=here(TEMPLATES),
    output:
        page=report(
            PATHS.at("report.html"),
            caption="../report/page.rst",
            category="The page",
            labels={"dataset": "all", "figure": "all that was found, to be explored"},
        ),
        captions=figure_files("rst"),
    log:
        PATHS.log("report"),
    benchmark:
        PATHS.benchmark("report")
    conda:
        CONDA
    resources:
        **needs("report"),
    params:
        config=CONFIG.model_dump(mode="json"),
        datasets=list(SECTIONS),
        plates=PLATES,
        code=code("report.py"),
    script:
        "../scripts/report.py"
