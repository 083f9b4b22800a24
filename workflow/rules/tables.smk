# What the datasets bring, on top of one another: the tables that people, figures and report read.


STACKED = {
    **{
        kind: of_datasets(kind)
        for kind in (
            *("tokens", "geometry", "population", "depth_similarity", "speed"),
            *("depth", "blocks", "phases"),
            *("encoding", "folds", "baselines"),
            *("modules", "change_points", "low_high", "correlations", "emergence"),
            *("specification_curve", "survival"),
        )
    },
    # Of what is not asked for there is a table without rows.
    "lens": of_datasets("lens") if FEATURES.lens else [],
    "alignment": of_datasets(
        "alignment",
        [name for name in SECTIONS if CONFIG.alignment and name not in STORIES],
    ),
    "hierarchy": of_datasets(
        "hierarchy", [name for name in SECTIONS if SECTIONS[name].hierarchy]
    ),
    "competence_lags": of_datasets("competence_lags") if CONFIG.competence else [],
    "ceiling": [PATHS.data(name, "ceiling.parquet") for name in SECTIONS],
}
if CONFIG.competence:
    STACKED["competence_answers"] = of_datasets("competence_answers")
if CONFIG.pairs_of_models:
    STACKED["tuned"] = of_datasets("tuned")
if SIMULATED:
    STACKED["recovery"] = of_datasets("recovery", SIMULATED)
if CONFIG.controls:
    STACKED["controls"] = of_datasets("controls")
CONTRASTED = [name for name in SECTIONS if CONFIG.contrasts_of(name)]
if CONTRASTED:
    STACKED["contrasts"] = of_datasets("contrasts", CONTRASTED)
if STORIES:
    STACKED |= {
        kind: [PATHS.data(name, f"{kind}.parquet") for name in STORIES]
        for kind in ("lags", "lag_check", "impulse", "shuffling")
    }
CALIBRATION = [PATHS.table("calibration")] if CONFIG.inference.calibration_draws else []


rule tables:
    # One job for all: a table takes a moment, Python and its libraries a second.
    input:
        **STACKED,
    output:
        **{kind: PATHS.table(kind) for kind in STACKED},
    log:
        PATHS.log("tables"),
    benchmark:
        PATHS.benchmark("tables")
    conda:
        CONDA
    resources:
        **needs("tables"),
    params:
        code=code("tables.py"),
        provenance=provenance("tables.py"),
    script:
        "../scripts/tables.py"


rule calibration:
    input:
        calibration=of_datasets("calibration"),
    output:
        calibration=PATHS.table("calibration"),
    log:
        PATHS.log("calibration"),
    benchmark:
        PATHS.benchmark("calibration")
    conda:
        CONDA
    resources:
        **needs("calibration"),
    params:
        code=code("tables.py"),
        provenance=provenance("tables.py"),
    script:
        "../scripts/tables.py"


rule claims:
    input:
        of_each=[PATHS.data(name, "claims.json") for name in SECTIONS],
    output:
        PATHS.at("claims.json"),
    log:
        PATHS.log("claims"),
    benchmark:
        PATHS.benchmark("claims")
    conda:
        CONDA
    resources:
        **needs("claims"),
    params:
        alpha=CONFIG.inference.alpha,
        code=code("claims.py"),
    script:
        "../scripts/claims.py"
