# Figures are drawn from the tables alone; the report puts them beside the claims.

# Some tables only some runs have.
HERE = {*STACKED, *(["competence"] if CONFIG.competence else [])}
SHOWN = sorted({name for plate in GALLERY.values() for name in plate.tables} & HERE)


# Figures of the headline lie in figures/ itself, those of any other dataset in a folder there.
FOLDERS = {name: None if name == next(iter(SECTIONS)) else name for name in SECTIONS}


PLATES = [
    (dataset, name)
    for dataset, folder in FOLDERS.items()
    for name, plate in GALLERY.items()
    if folder is None or not plate.over_datasets
]


def figure_files(suffix, paths=PATHS):
    """Every figure of every dataset; its caption, with the suffix `rst`."""
    return [paths.figure(name, suffix, FOLDERS[dataset]) for dataset, name in PLATES]


def captions():
    """What Snakemake's own report says of every figure: made with the page, from the tables. Where
    the rules come out of a repository, Snakemake looks for captions there alone."""
    if BY_PATH:
        return list(map(os.path.abspath, figure_files("rst", MOVED)))
    return ["../report/figure.rst"] * len(PLATES)


def compared(file):
    """A file of each of the runs that are set side by side."""
    if len(CONFIG.runs) < 2:
        sys.exit("\nsay which runs to compare: --config 'runs=[a, b]'")
    return [here(file(Paths(name))) for name in CONFIG.runs]


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
