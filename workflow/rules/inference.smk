# From the tables of all checkpoints to the claims.

CALIBRATION = [PATHS.table("calibration")] if CONFIG.inference.calibration_draws else []
# The variants that the claims are about, and those that modules are made of.
HEADLINE = {metric: variants[0] for metric, variants in METRICS.items()}
COORDINATES = {metric: HEADLINE[metric] for metric in ("entropy", "curvature")}


rule modules:
    input:
        checkpoints=PATHS.table("continuity"),
        geometry=PATHS.table("geometry"),
    output:
        PATHS.table("modules"),
    log:
        PATHS.log("modules"),
    conda:
        CONDA
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
        geometry=PATHS.table("geometry"),
    output:
        PATHS.table("change_points"),
    log:
        PATHS.log("change_points"),
    conda:
        CONDA
    params:
        headline=COORDINATES,
        code=code("change_points.py"),
        provenance=provenance("change_points.py"),
    script:
        "../scripts/change_points.py"


rule low_high:
    input:
        checkpoints=PATHS.table("continuity"),
        geometry=PATHS.table("geometry"),
        encoding=PATHS.table("encoding"),
        folds=PATHS.table("folds"),
        modules=PATHS.table("modules"),
    output:
        PATHS.table("low_high"),
    log:
        PATHS.log("low_high"),
    conda:
        CONDA
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
        geometry=PATHS.table("geometry"),
        encoding=PATHS.table("encoding"),
    output:
        PATHS.table("correlations"),
    log:
        PATHS.log("correlations"),
    conda:
        CONDA
    params:
        settings=inference_settings(),
        headline=HEADLINE,
        code=code("correlations.py"),
        provenance=provenance("correlations.py"),
    script:
        "../scripts/correlations.py"


rule emergence:
    input:
        checkpoints=PATHS.table("continuity"),
        encoding=PATHS.table("encoding"),
    output:
        PATHS.table("emergence"),
    log:
        PATHS.log("emergence"),
    conda:
        CONDA
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


rule claims:
    input:
        checkpoints=PATHS.table("continuity"),
        geometry=PATHS.table("geometry"),
        encoding=PATHS.table("encoding"),
        folds=PATHS.table("folds"),
        modules=PATHS.table("modules"),
        emergence=PATHS.table("emergence"),
        tokens=PATHS.table("tokens"),
        truth=[PATHS.at("world/truth.json")] if CONFIG.dataset.simulate else [],
        calibration=CALIBRATION,
    output:
        PATHS.at("claims.json"),
    log:
        PATHS.log("claims"),
    conda:
        CONDA
    params:
        settings=inference_settings(),
        seed=SEED,
        headline=HEADLINE,
        code=code("claims.py"),
        provenance=provenance("claims.py"),
    script:
        "../scripts/claims.py"


rule calibration:
    # False-positive rate and power of every test, on sweeps simulated on this very grid.
    input:
        checkpoints=PATHS.table("continuity"),
        geometry=PATHS.table("geometry"),
        encoding=PATHS.table("encoding"),
        tokens=PATHS.table("tokens"),
    output:
        table=PATHS.table("calibration"),
        text=PATHS.at("calibration.txt"),
    log:
        PATHS.log("calibration"),
    conda:
        CONDA
    threads: workflow.cores
    params:
        settings=inference_settings(),
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
        geometry=PATHS.table("geometry"),
        encoding=PATHS.table("encoding"),
        folds=PATHS.table("folds"),
        tokens=PATHS.table("tokens"),
        calibration=CALIBRATION,
    output:
        curve=PATHS.table("specification_curve"),
        survival=PATHS.table("survival"),
    log:
        PATHS.log("multiverse"),
    conda:
        CONDA
    params:
        settings=inference_settings(),
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


if CONFIG.dataset.simulate:

    rule recovery:
        input:
            sentences=here(DATASET.sentences),
            truth=PATHS.at("world/truth.json"),
            features=[
                PATHS.step(model, step, "features.safetensors")
                for model, step in GRID.checkpoints()
            ],
            ceiling=PATHS.table("ceiling"),
            encoding=PATHS.table("encoding"),
            emergence=PATHS.table("emergence"),
        output:
            PATHS.table("recovery"),
        log:
            PATHS.log("recovery"),
        conda:
            CONDA
        params:
            checkpoints=list(GRID.checkpoints()),
            seed=SEED,
            code=code("recovery.py"),
            provenance=provenance("recovery.py"),
        script:
            "../scripts/recovery.py"
