# Figures are drawn from the tables alone; the report puts them beside the claims.


SHOWN = sorted({name for plate in GALLERY.values() for name in plate.tables})


rule figures:
    # One job for all: a figure takes a second, Python and its libraries several.
    input:
        tables=[PATHS.table(name) for name in SHOWN],
        calibration=CALIBRATION,
    output:
        svg=[
            report(
                PATHS.figure(name, "svg"),
                caption="../report/figure.rst",
                category="Figures",
                labels={"figure": name},
            )
            for name in GALLERY
        ],
        png=[PATHS.figure(name, "png") for name in GALLERY],
    log:
        PATHS.log("figures"),
    conda:
        CONDA
    params:
        code=code("figures.py"),
    script:
        "../scripts/figures.py"


rule report:
    input:
        claims=PATHS.at("claims.json"),
        notes=PATHS.at("brain/notes.json"),
        tables=[PATHS.table(name) for name in SHOWN],
        checkpoints=PATHS.table("continuity"),
        calibration=CALIBRATION,
        recovery=[PATHS.table("recovery")] if CONFIG.dataset.simulate else [],
        figures=[PATHS.figure(name, "svg") for name in GALLERY],
        template=here(TEMPLATE),
    output:
        PATHS.at("report.html"),
    log:
        PATHS.log("report"),
    conda:
        CONDA
    params:
        config=CONFIG.model_dump(mode="json"),
        code=code("report.py"),
    script:
        "../scripts/report.py"
