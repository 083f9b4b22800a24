# Sentences, and the brain's responses to them, a dataset at a time.


for name in SIMULATED:

    rule:
        # Apart from the brain, so that another participant sends no sentence through a model.
        name:
            rule_of("sentences", name, SIMULATED)
        output:
            here(DATASETS[name].sentences),
        log:
            PATHS.log(f"data/{name}/sentences"),
        benchmark:
            PATHS.benchmark("sentences", name)
        conda:
            CONDA
        resources:
            **needs("sentences"),
        params:
            sentences=simulation(name)["sentences"],
            language=SEED,
            seed=simulation(name)["seed"],
            code=code("sentences.py"),
        script:
            "../scripts/sentences.py"

    rule:
        name:
            rule_of("simulate", name, SIMULATED)
        output:
            images=here(response_files(DATASETS[name])),
            truth=PATHS.data(name, "world/truth.json"),
        log:
            PATHS.log(f"data/{name}/simulate"),
        benchmark:
            PATHS.benchmark("simulate", name)
        conda:
            CONDA
        resources:
            **needs("simulate"),
        params:
            **simulation(name),
            language=SEED,
            code=code("simulate.py"),
        script:
            "../scripts/simulate.py"


for name in [name for name in MADE_UP if name in STORIES]:

    rule:
        # Apart from the scans, so that other noise sends no story through a model.
        name:
            rule_of("stories", name, MADE_UP)
        output:
            here(word_files(DATASETS[name].told)),
        log:
            PATHS.log(f"data/{name}/stories"),
        benchmark:
            PATHS.benchmark("stories", name)
        conda:
            CONDA
        resources:
            **needs("stories"),
        params:
            **simulation(name),
            language=SEED,
            code=code("stories.py"),
        script:
            "../scripts/stories.py"

    rule:
        name:
            rule_of("listeners", name, MADE_UP)
        output:
            scans=here(response_files(DATASETS[name])),
            truth=PATHS.data(name, "world/truth.json"),
        log:
            PATHS.log(f"data/{name}/listeners"),
        benchmark:
            PATHS.benchmark("listeners", name)
        conda:
            CONDA
        resources:
            **needs("listeners"),
        params:
            **simulation(name),
            language=SEED,
            code=code("listeners.py"),
        script:
            "../scripts/listeners.py"


for name, download in CONFIG.downloads().items():

    # The code is no parameter: data that are here are not fetched again for an edit.
    rule:
        name:
            rule_of("download", name, CONFIG.downloads())
        output:
            here([f"{download.folder}/{file}" for file in download.files]),
        log:
            PATHS.log(f"data/{name}/download"),
        benchmark:
            PATHS.benchmark("download", name)
        localrule: True
        conda:
            CONDA
        resources:
            **needs("download"),
        params:
            archive=download.model_dump(),
        script:
            "../scripts/download.py"


rule stimuli:
    input:
        lambda wildcards: here(sentence_file(DATASETS[wildcards.dataset])),
    output:
        PATHS.data("{dataset}", "stimuli.parquet"),
    log:
        PATHS.log("data/{dataset}/stimuli"),
    benchmark:
        PATHS.benchmark("stimuli", "{dataset}")
    wildcard_constraints:
        dataset=any_of(name for name in DATASETS if name not in STORIES),
    conda:
        CONDA
    resources:
        **needs("stimuli"),
    params:
        dataset=lambda wildcards: about_sentences(DATASETS[wildcards.dataset]),
        key=lambda wildcards: CONFIG.key_of(wildcards.dataset),
        code=code("stimuli.py"),
        provenance=provenance("stimuli.py"),
    script:
        "../scripts/stimuli.py"


rule splits:
    # Apart from the sentences, so that other folds send none of them through a model again.
    input:
        sentences=lambda wildcards: here(sentence_file(DATASETS[wildcards.dataset])),
        stimuli=PATHS.data("{dataset}", "stimuli.parquet"),
        responses=PATHS.data("{dataset}", "responses.parquet"),
    output:
        PATHS.data("{dataset}", "splits.parquet"),
    log:
        PATHS.log("data/{dataset}/splits"),
    benchmark:
        PATHS.benchmark("splits", "{dataset}")
    conda:
        CONDA
    resources:
        **needs("splits"),
    params:
        dataset=lambda wildcards: about_sentences(DATASETS[wildcards.dataset]),
        key=lambda wildcards: CONFIG.key_of(wildcards.dataset),
        column=lambda wildcards: SECTIONS[wildcards.dataset].splits,
        cut=lambda wildcards: asdict(cut_of(CONFIG, wildcards.dataset)),
        code=code("splits.py"),
        provenance=provenance("splits.py"),
    script:
        "../scripts/splits.py"


rule nuisances:
    input:
        nuisances=lambda wildcards: here(SECTIONS[wildcards.dataset].nuisances),
        stimuli=PATHS.data("{dataset}", "stimuli.parquet"),
    output:
        PATHS.data("{dataset}", "nuisances.parquet"),
    log:
        PATHS.log("data/{dataset}/nuisances"),
    benchmark:
        PATHS.benchmark("nuisances", "{dataset}")
    conda:
        CONDA
    resources:
        **needs("nuisances"),
    params:
        dataset=lambda wildcards: about_sentences(DATASETS[wildcards.dataset]),
        key=lambda wildcards: CONFIG.key_of(wildcards.dataset),
        code=code("nuisances.py"),
        provenance=provenance("nuisances.py"),
    script:
        "../scripts/nuisances.py"


rule brain:
    input:
        data=lambda wildcards: here(response_files(DATASETS[wildcards.dataset])),
        ceiling=lambda wildcards: here(
            published_ceilings(DATASETS[wildcards.dataset]) or []
        ),
        stimuli=PATHS.data("{dataset}", "stimuli.parquet"),
    output:
        responses=PATHS.data("{dataset}", "responses.parquet"),
        ceiling=PATHS.data("{dataset}", "ceiling.parquet"),
        notes=PATHS.data("{dataset}", "notes.json"),
    log:
        PATHS.log("data/{dataset}/brain"),
    benchmark:
        PATHS.benchmark("brain", "{dataset}")
    wildcard_constraints:
        dataset=any_of(name for name in DATASETS if name not in STORIES),
    conda:
        CONDA
    resources:
        **needs("brain"),
    params:
        dataset=lambda wildcards: asdict(DATASETS[wildcards.dataset]),
        key=lambda wildcards: CONFIG.key_of(wildcards.dataset),
        grouping=grouping_of,
        seed=SEED,
        code=code("brain.py"),
        provenance=provenance("brain.py"),
    script:
        "../scripts/brain.py"


rule telling:
    # Words, and the rows of the scans by their headers: what a forward pass needs of a story.
    input:
        words=lambda wildcards: here(word_files(DATASETS[wildcards.dataset].told)),
        data=lambda wildcards: here(row_files(DATASETS[wildcards.dataset])),
    output:
        stimuli=PATHS.data("{dataset}", "stimuli.parquet"),
        words=PATHS.data("{dataset}", "words.parquet"),
        rows=PATHS.data("{dataset}", "rows.parquet"),
    log:
        PATHS.log("data/{dataset}/telling"),
    benchmark:
        PATHS.benchmark("telling", "{dataset}")
    wildcard_constraints:
        dataset=any_of(STORIES),
    conda:
        CONDA
    resources:
        **needs("telling"),
    params:
        dataset=lambda wildcards: about_rows(DATASETS[wildcards.dataset]),
        key=lambda wildcards: CONFIG.key_of(wildcards.dataset),
        code=code("telling.py"),
        provenance=provenance("telling.py"),
    script:
        "../scripts/telling.py"


rule listening:
    input:
        words=lambda wildcards: here(word_files(DATASETS[wildcards.dataset].told)),
        data=lambda wildcards: here(response_files(DATASETS[wildcards.dataset])),
        ceiling=lambda wildcards: here(
            published_ceilings(DATASETS[wildcards.dataset]) or []
        ),
        rows=PATHS.data("{dataset}", "rows.parquet"),
    output:
        responses=PATHS.data("{dataset}", "responses.parquet"),
        ceiling=PATHS.data("{dataset}", "ceiling.parquet"),
        notes=PATHS.data("{dataset}", "notes.json"),
        lags=PATHS.data("{dataset}", "lags.parquet"),
        lag_check=PATHS.data("{dataset}", "lag_check.parquet"),
        confounds=PATHS.data("{dataset}", "confounds.parquet"),
    log:
        PATHS.log("data/{dataset}/listening"),
    benchmark:
        PATHS.benchmark("listening", "{dataset}")
    wildcard_constraints:
        dataset=any_of(STORIES),
    conda:
        CONDA
    resources:
        **needs("listening"),
    params:
        dataset=lambda wildcards: asdict(DATASETS[wildcards.dataset]),
        key=lambda wildcards: CONFIG.key_of(wildcards.dataset),
        seed=SEED,
        code=code("listening.py"),
        provenance=provenance("listening.py"),
    script:
        "../scripts/listening.py"


rule lag_figure:
    input:
        lags=PATHS.data("{dataset}", "lags.parquet"),
        lag_check=PATHS.data("{dataset}", "lag_check.parquet"),
    output:
        report(
            PATHS.data("{dataset}", "lag_check.svg"),
            caption="../report/lags.rst",
            category="Data",
            labels={"dataset": "{dataset}", "figure": "lag check"},
        ),
    log:
        PATHS.log("data/{dataset}/lag_figure"),
    benchmark:
        PATHS.benchmark("lag_figure", "{dataset}")
    wildcard_constraints:
        dataset=any_of(STORIES),
    conda:
        CONDA
    resources:
        **needs("lag_figure"),
    params:
        code=code("lag_figure.py"),
    script:
        "../scripts/lag_figure.py"
