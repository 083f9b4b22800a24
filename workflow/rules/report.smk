# Figures are drawn from the tables alone; the report puts them beside the claims.

SHOWN = sorted({name for plate in GALLERY.values() for name in plate.tables})
# Tables of known answers, in runs that have some.
KNOWN = [PATHS.table(kind) for kind in ("recovery", "controls") if kind in STACKED]


rule figures:
    # One job for all: a figure takes a second, Python and its libraries several.
    input:
        tables=[PATHS.table(name) for name in SHOWN],
        claims=PATHS.at("claims.json"),
        known=KNOWN,
        calibration=CALIBRATION,
    output:
        svg=[
            report(
                path,
                caption="../report/figure.rst",
                category="Figures",
                labels={"dataset": dataset, "figure": name},
            )
            for (dataset, name), path in zip(PLATES, figure_files("svg"))
        ],
        pdf=figure_files("pdf"),
        png=figure_files("png"),
    log:
        PATHS.log("figures"),
    conda:
        CONDA
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
        known=KNOWN,
        controls=[
            PATHS.data(name, "controls/said.json")
            for name in SECTIONS
            if CONFIG.controls
        ],
        figures=figure_files("svg"),
        listed=PATHS.table("checkpoints"),
        template=here(TEMPLATES),
    output:
        PATHS.at("report.html"),
    log:
        PATHS.log("report"),
    conda:
        CONDA
    params:
        config=CONFIG.model_dump(mode="json"),
        datasets=list(SECTIONS),
        plates=PLATES,
        code=code("report.py"),
    script:
        "../scripts/report.py"


onsuccess:
    finish()
