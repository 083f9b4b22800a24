# From the tables of all checkpoints to the claims, a dataset at a time.

CALIBRATED = (
    [PATHS.table("calibration", "{dataset}")]
    if CONFIG.inference.calibration_draws
    else []
)
# The variants that the claims are about, and those that modules are made of.
HEADLINE = {metric: variants[0] for metric, variants in METRICS.items()}
COORDINATES = {metric: HEADLINE[metric] for metric in ("entropy", "curvature")}


rule modules:
    input:
        checkpoints=PATHS.table("continuity"),
        geometry=PATHS.table("geometry", "{dataset}"),
    output:
        PATHS.table("modules", "{dataset}"),
    log:
        PATHS.log("data/{dataset}/modules"),
    benchmark:
        PATHS.benchmark("modules", "{dataset}")
    conda:
        CONDA
    resources:
        **needs("modules"),
    params:
        settings=dict(
            k=CONFIG.modules.k,
            method=CONFIG.modules.method,
            seed=SEED,
            null_draws=CONFIG.inference.null_draws,
            alpha=CONFIG.inference.alpha,
            **COORDINATES,
        ),
        code=code("modules.py"),
        provenance=provenance("modules.py"),
    script:
        "../scripts/modules.py"


rule change_points:
    input:
        checkpoints=PATHS.table("continuity"),
        geometry=PATHS.table("geometry", "{dataset}"),
    output:
        PATHS.table("change_points", "{dataset}"),
    log:
        PATHS.log("data/{dataset}/change_points"),
    benchmark:
        PATHS.benchmark("change_points", "{dataset}")
    conda:
        CONDA
    resources:
        **needs("change_points"),
    params:
        headline=COORDINATES,
        code=code("change_points.py"),
        provenance=provenance("change_points.py"),
    script:
        "../scripts/change_points.py"


rule low_high:
    input:
        checkpoints=PATHS.table("continuity"),
        geometry=PATHS.table("geometry", "{dataset}"),
        encoding=PATHS.table("encoding", "{dataset}"),
        folds=PATHS.table("folds", "{dataset}"),
        modules=PATHS.table("modules", "{dataset}"),
    output:
        PATHS.table("low_high", "{dataset}"),
    log:
        PATHS.log("data/{dataset}/low_high"),
    benchmark:
        PATHS.benchmark("low_high", "{dataset}")
    conda:
        CONDA
    resources:
        **needs("low_high"),
    params:
        alpha=CONFIG.inference.alpha,
        headline=HEADLINE,
        code=code("low_high.py"),
        provenance=provenance("low_high.py"),
    script:
        "../scripts/low_high.py"


rule correlations:
    input:
        checkpoints=PATHS.table("continuity"),
        geometry=PATHS.table("geometry", "{dataset}"),
        encoding=PATHS.table("encoding", "{dataset}"),
        tokens=PATHS.table("tokens", "{dataset}"),
        competence=COMPETENCE,
    output:
        PATHS.table("correlations", "{dataset}"),
    log:
        PATHS.log("data/{dataset}/correlations"),
    benchmark:
        PATHS.benchmark("correlations", "{dataset}")
    conda:
        CONDA
    resources:
        **needs("correlations"),
    params:
        settings=inference_settings,
        headline=HEADLINE,
        code=code("correlations.py"),
        provenance=provenance("correlations.py"),
    script:
        "../scripts/correlations.py"


rule emergence:
    input:
        checkpoints=PATHS.table("continuity"),
        encoding=PATHS.table("encoding", "{dataset}"),
    output:
        PATHS.table("emergence", "{dataset}"),
    log:
        PATHS.log("data/{dataset}/emergence"),
    benchmark:
        PATHS.benchmark("emergence", "{dataset}")
    conda:
        CONDA
    resources:
        **needs("emergence"),
    params:
        settings=dict(
            seed=SEED,
            bootstrap=CONFIG.inference.bootstrap,
            alpha=CONFIG.inference.alpha,
        ),
        code=code("emergence.py"),
        provenance=provenance("emergence.py"),
    script:
        "../scripts/emergence.py"


rule question:
    # Which competence does each region's alignment follow?
    input:
        checkpoints=PATHS.table("continuity"),
        geometry=PATHS.table("geometry", "{dataset}"),
        encoding=PATHS.table("encoding", "{dataset}"),
        tokens=PATHS.table("tokens", "{dataset}"),
        competence=PATHS.table("competence"),
        retaken=RETAKEN,
    output:
        competence_lags=PATHS.table("competence_lags", "{dataset}"),
        competence_answers=PATHS.table("competence_answers", "{dataset}"),
    log:
        PATHS.log("data/{dataset}/question"),
    benchmark:
        PATHS.benchmark("question", "{dataset}")
    conda:
        CONDA
    resources:
        **needs("question"),
    params:
        settings=inference_settings,
        seed=SEED,
        headline=HEADLINE,
        code=code("question.py"),
        provenance=provenance("question.py"),
    script:
        "../scripts/question.py"


# Models and their tuned versions, each at its last step.
TUNED = [(pair.base, pair.tuned) for pair in CONFIG.pairs_of_models]
LAST = [
    (model, GRID.model(model).steps[-1])
    for model in dict.fromkeys(name for pair in TUNED for name in pair)
]


rule tuned:
    input:
        encoding=PATHS.table("encoding", "{dataset}"),
        geometry=[PATHS.step(*at, "geometry.parquet", "{dataset}") for at in LAST],
        tokens=[PATHS.step(*at, "tokens.parquet", "{dataset}") for at in LAST],
        of_items=[
            PATHS.step(*at, "competence/items.parquet") for at in LAST if TASK_SETS
        ],
        spans=[
            PATHS.step(*at, f"competence/{name}.parquet")
            for at in LAST
            for name in TASK_SETS
        ],
        competence=COMPETENCE,
    output:
        PATHS.table("tuned", "{dataset}"),
    log:
        PATHS.log("data/{dataset}/tuned"),
    benchmark:
        PATHS.benchmark("tuned", "{dataset}")
    conda:
        CONDA
    resources:
        **needs("tuned"),
    params:
        pairs=TUNED,
        last=LAST,
        task_sets=list(TASK_SETS),
        headline=HEADLINE,
        alpha=CONFIG.inference.alpha,
        code=code("tuned.py"),
        provenance=provenance("tuned.py"),
    script:
        "../scripts/tuned.py"


rule contrasts:
    input:
        checkpoints=PATHS.table("continuity"),
        geometry=PATHS.table("geometry", "{dataset}"),
        encoding=PATHS.table("encoding", "{dataset}"),
        calibration=CALIBRATED,
    output:
        PATHS.table("contrasts", "{dataset}"),
    log:
        PATHS.log("data/{dataset}/contrasts"),
    benchmark:
        PATHS.benchmark("contrasts", "{dataset}")
    conda:
        CONDA
    resources:
        **needs("contrasts"),
    params:
        settings=inference_settings,
        contrasts=lambda wildcards: CONFIG.contrasts_of(wildcards.dataset),
        seed=SEED,
        headline=HEADLINE,
        code=code("contrasts.py"),
        provenance=provenance("contrasts.py"),
    script:
        "../scripts/contrasts.py"


rule judge:
    input:
        checkpoints=PATHS.table("continuity"),
        geometry=PATHS.table("geometry", "{dataset}"),
        encoding=PATHS.table("encoding", "{dataset}"),
        folds=PATHS.table("folds", "{dataset}"),
        modules=PATHS.table("modules", "{dataset}"),
        emergence=PATHS.table("emergence", "{dataset}"),
        tokens=PATHS.table("tokens", "{dataset}"),
        competence=COMPETENCE,
        retaken=RETAKEN,
        truth=planted_in,
        recovery=recovered_in,
        calibration=CALIBRATED,
    output:
        PATHS.data("{dataset}", "claims.json"),
    log:
        PATHS.log("data/{dataset}/judge"),
    benchmark:
        PATHS.benchmark("judge", "{dataset}")
    conda:
        CONDA
    resources:
        **needs("judge"),
    params:
        settings=inference_settings,
        seed=SEED,
        seeds={m.name: [m.suite, m.seed] for m in GRID.models if m.seed is not None},
        headline=HEADLINE,
        code=code("judge.py"),
        provenance=provenance("judge.py"),
    script:
        "../scripts/judge.py"


rule calibrate:
    # False-positive rate and power of every test, on sweeps simulated on this very grid.
    input:
        checkpoints=PATHS.table("continuity"),
        geometry=PATHS.table("geometry", "{dataset}"),
        encoding=PATHS.table("encoding", "{dataset}"),
        tokens=PATHS.table("tokens", "{dataset}"),
        competence=COMPETENCE,
    output:
        PATHS.table("calibration", "{dataset}"),
    log:
        PATHS.log("data/{dataset}/calibration"),
    benchmark:
        PATHS.benchmark("calibrate", "{dataset}")
    conda:
        CONDA
    threads: workflow.cores
    resources:
        **needs("calibrate"),
    params:
        settings=inference_settings,
        draws=CONFIG.inference.calibration_draws or 200,
        seed=SEED,
        headline=HEADLINE,
        code=code("calibration.py"),
        provenance=provenance("calibration.py"),
    script:
        "../scripts/calibration.py"


rule multiverse:
    input:
        checkpoints=PATHS.table("continuity"),
        geometry=PATHS.table("geometry", "{dataset}"),
        encoding=PATHS.table("encoding", "{dataset}"),
        folds=PATHS.table("folds", "{dataset}"),
        tokens=PATHS.table("tokens", "{dataset}"),
        calibration=CALIBRATED,
    output:
        curve=PATHS.table("specification_curve", "{dataset}"),
        survival=PATHS.table("survival", "{dataset}"),
    log:
        PATHS.log("data/{dataset}/multiverse"),
    benchmark:
        PATHS.benchmark("multiverse", "{dataset}")
    conda:
        CONDA
    resources:
        **needs("multiverse"),
    params:
        settings=inference_settings,
        choices=dict(
            entropy=METRICS["entropy"],
            curvature=METRICS["curvature"],
            k=CONFIG.modules.k,
            method=CONFIG.modules.method,
            seed=SEED,
        ),
        code=code("multiverse.py"),
        provenance=provenance("multiverse.py"),
    script:
        "../scripts/multiverse.py"


rule recovery:
    input:
        sentences=lambda wildcards: here(DATASETS[wildcards.dataset].sentences),
        truth=PATHS.data("{dataset}", "world/truth.json"),
        features=lambda wildcards: [
            PATHS.step(model, step, "features.safetensors", wildcards.dataset)
            for model, step in GRID.checkpoints()
        ],
        ceiling=PATHS.data("{dataset}", "ceiling.parquet"),
        encoding=PATHS.table("encoding", "{dataset}"),
        emergence=PATHS.table("emergence", "{dataset}"),
        geometry=PATHS.table("geometry", "{dataset}"),
        modules=PATHS.table("modules", "{dataset}"),
        tokens=PATHS.table("tokens", "{dataset}"),
        competence=COMPETENCE,
        retaken=RETAKEN,
        answers=[PATHS.table("competence_answers", "{dataset}") for _ in COMPETENCE],
    output:
        PATHS.table("recovery", "{dataset}"),
    log:
        PATHS.log("data/{dataset}/recovery"),
    benchmark:
        PATHS.benchmark("recovery", "{dataset}")
    conda:
        CONDA
    resources:
        **needs("recovery"),
    params:
        checkpoints=list(GRID.checkpoints()),
        modules=GRID.planted_modules(),
        headline=HEADLINE,
        settings=inference_settings,
        reader=reader_of_made_up_times(),
        seed=SEED,
        code=code("recovery.py"),
        provenance=provenance("recovery.py"),
    script:
        "../scripts/recovery.py"
