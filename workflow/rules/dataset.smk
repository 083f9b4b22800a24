# Sentences, and the brain's responses to them.

if CONFIG.dataset.simulate:

    rule sentences:
        # Apart from the brain, so that another participant sends no sentence through a model.
        output:
            here(DATASET["sentences"]),
        log:
            PATHS.log("sentences"),
        conda:
            CONDA
        params:
            sentences=CONFIG.dataset.simulate.sentences,
            seed=SEED,
            code=code("sentences.py"),
        script:
            "../scripts/sentences.py"

    rule simulate:
        output:
            images=here(RESPONSES),
            truth=PATHS.at("world/truth.json"),
        log:
            PATHS.log("simulate"),
        conda:
            CONDA
        params:
            **CONFIG.dataset.simulate.model_dump(),
            seed=SEED,
            code=code("simulate.py"),
        script:
            "../scripts/simulate.py"


if CONFIG.dataset.download:
    DOWNLOAD = CONFIG.dataset.download

    localrules:
        download,

    # The code is no parameter: data that are here are not fetched again for an edit.
    rule download:
        output:
            here([f"{DOWNLOAD.folder}/{name}" for name in DOWNLOAD.files]),
        log:
            PATHS.log("download"),
        conda:
            CONDA
        params:
            archive=DOWNLOAD.model_dump(),
        script:
            "../scripts/download.py"


rule stimuli:
    input:
        here(sentence_file(DATASET)),
    output:
        PATHS.at("stimuli.parquet"),
    log:
        PATHS.log("stimuli"),
    conda:
        CONDA
    params:
        dataset=about_sentences(DATASET),
        code=code("stimuli.py"),
        provenance=provenance("stimuli.py"),
    script:
        "../scripts/stimuli.py"


rule brain:
    input:
        data=here(RESPONSES),
        ceiling=here(published_ceilings(DATASET) or []),
        stimuli=PATHS.at("stimuli.parquet"),
    output:
        responses=PATHS.at("brain/responses.parquet"),
        ceiling=PATHS.at("brain/ceiling.parquet"),
        notes=PATHS.at("brain/notes.json"),
    log:
        PATHS.log("brain"),
    conda:
        CONDA
    params:
        dataset=DATASET,
        grouping=CONFIG.encoding.grouping,
        seed=SEED,
        code=code("brain.py"),
        provenance=provenance("brain.py"),
    script:
        "../scripts/brain.py"


rule ceiling_table:
    input:
        PATHS.at("brain/ceiling.parquet"),
    output:
        PATHS.table("ceiling"),
    log:
        PATHS.log("ceiling_table"),
    conda:
        CONDA
    params:
        kind="ceiling",
        code=code("stack.py"),
        provenance=provenance("stack.py"),
    script:
        "../scripts/stack.py"
