# Which checkpoints are what their names say: from listings alone, then from the tensors.


localrules:
    audit,


rule listing:
    # Of every revision, whatever the config asks for: a new step in it changes no commit.
    output:
        PATHS.at("listings/{model}.json"),
    log:
        PATHS.log("{model}/listing"),
    benchmark:
        PATHS.benchmark("listing", "{model}")
    conda:
        CONDA
    resources:
        **needs("listing"),
    params:
        source=lambda wildcards: source(wildcards.model),
        code=code("listing.py"),
    script:
        "../scripts/listing.py"


rule checkpoints_table:
    input:
        listings=[
            file
            for model in GRID.models
            for file in listing_of(model.suite, model.name)
        ],
        weights=[
            file
            for model in GRID.models
            for file in weights_of(model.suite, model.name, model.steps)
        ],
        known_bad=here(os.path.join(RESOURCES, "known_bad.tsv")),
        suites=here(os.path.join(RESOURCES, "suites.tsv")),
    output:
        table=PATHS.table("checkpoints"),
        summary=PATHS.at("audit.txt"),
    log:
        PATHS.log("checkpoints_table"),
    benchmark:
        PATHS.benchmark("checkpoints_table")
    conda:
        CONDA
    resources:
        **needs("checkpoints_table"),
    params:
        models=[audited(model) for model in GRID.models],
        code=code("checkpoints.py"),
        provenance=provenance("checkpoints.py"),
    script:
        "../scripts/checkpoints.py"


rule continuity_table:
    input:
        checkpoints=PATHS.table("checkpoints"),
        sketches=[
            PATHS.step(model, step, "sketch.safetensors")
            for model, step in GRID.checkpoints()
        ],
    output:
        PATHS.table("continuity"),
    log:
        PATHS.log("continuity_table"),
    benchmark:
        PATHS.benchmark("continuity_table")
    conda:
        CONDA
    resources:
        **needs("continuity_table"),
    params:
        checkpoints=list(GRID.checkpoints()),
        code=code("continuity.py"),
        provenance=provenance("continuity.py"),
    script:
        "../scripts/continuity.py"


rule audit:
    input:
        table=PATHS.table("checkpoints"),
        summary=PATHS.at("audit.txt"),
    log:
        PATHS.log("audit"),
    conda:
        CONDA
    shell:
        "tee {log} < {input.summary}"
