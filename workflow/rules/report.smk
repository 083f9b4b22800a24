# Figures are drawn from the tables alone; the report puts them beside the claims.


SHOWN = sorted({name for plate in GALLERY.values() for name in plate.tables})


rule figure:
    input:
        tables=lambda wildcards: [
            PATHS.table(name) for name in GALLERY[wildcards.figure].tables
        ],
        calibration=lambda wildcards: (
            CALIBRATION if GALLERY[wildcards.figure].tests else []
        ),
    output:
        svg=report(
            PATHS.figure("{figure}", "svg"),
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        png=PATHS.figure("{figure}", "png"),
    log:
        PATHS.log("figure_{figure}"),
    wildcard_constraints:
        figure=any_of(GALLERY),
    conda:
        CONDA
    params:
        code=code("figure.py"),
    script:
        "../scripts/figure.py"


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
