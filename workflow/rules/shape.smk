# What training and depth make of it: phases, blocks of layers, and what follows the cortical order.


rule phases:
    input:
        checkpoints=PATHS.table("continuity"),
        population=PATHS.table("population", "{dataset}"),
    output:
        PATHS.table("phases", "{dataset}"),
    log:
        PATHS.log("data/{dataset}/phases"),
    benchmark:
        PATHS.benchmark("phases", "{dataset}")
    conda:
        CONDA
    params:
        settings=dict(
            seed=SEED,
            bootstrap=CONFIG.inference.bootstrap,
            alpha=CONFIG.inference.alpha,
        ),
        code=code("phases.py"),
        provenance=provenance("phases.py"),
    script:
        "../scripts/phases.py"


rule blocks:
    input:
        checkpoints=PATHS.table("continuity"),
        similarity=PATHS.table("depth_similarity", "{dataset}"),
    output:
        PATHS.table("blocks", "{dataset}"),
    log:
        PATHS.log("data/{dataset}/blocks"),
    benchmark:
        PATHS.benchmark("blocks", "{dataset}")
    conda:
        CONDA
    params:
        settings=dict(seed=SEED, null_draws=CONFIG.inference.null_draws),
        code=code("blocks.py"),
        provenance=provenance("blocks.py"),
    script:
        "../scripts/blocks.py"


rule hierarchy:
    input:
        checkpoints=PATHS.table("continuity"),
        encoding=PATHS.table("encoding", "{dataset}"),
        emergence=PATHS.table("emergence", "{dataset}"),
    output:
        PATHS.table("hierarchy", "{dataset}"),
    log:
        PATHS.log("data/{dataset}/hierarchy"),
    benchmark:
        PATHS.benchmark("hierarchy", "{dataset}")
    conda:
        CONDA
    params:
        order=lambda wildcards: SECTIONS[wildcards.dataset].hierarchy,
        seed=SEED,
        code=code("hierarchy.py"),
        provenance=provenance("hierarchy.py"),
    script:
        "../scripts/hierarchy.py"
