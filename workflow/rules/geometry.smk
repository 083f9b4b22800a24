# The geometry of every layer, from token Grams and pooled features alone: no model, no GPU.

METRICS = CONFIG.geometry.metrics()
FURTHER = {
    name: METRICS[name] for name in METRICS if name not in ("entropy", "curvature")
}
PLUGINS = here([CONFIG.geometry.plugins] if CONFIG.geometry.plugins else [])

for block in BLOCKS:

    rule:
        name:
            rule_name("entropy", block)
        input:
            stimuli=PATHS.at("stimuli.parquet"),
            grams=PATHS.steps("{model}", block.steps, "grams.safetensors"),
            plugins=PLUGINS,
        output:
            PATHS.steps("{model}", block.steps, "entropy.parquet"),
        log:
            PATHS.log(f"{{model}}/entropy_{block.label}"),
        wildcard_constraints:
            model=any_of(GRID.models_of(block.suite)),
        conda:
            CONDA
        params:
            steps=steps_of(block),
            variants=METRICS["entropy"],
            code=code("entropy.py"),
            provenance=provenance("entropy.py"),
        script:
            "../scripts/entropy.py"

    rule:
        name:
            rule_name("curvature", block)
        input:
            stimuli=PATHS.at("stimuli.parquet"),
            grams=PATHS.steps("{model}", block.steps, "grams.safetensors"),
            plugins=PLUGINS,
        output:
            PATHS.steps("{model}", block.steps, "curvature.parquet"),
        log:
            PATHS.log(f"{{model}}/curvature_{block.label}"),
        wildcard_constraints:
            model=any_of(GRID.models_of(block.suite)),
        conda:
            CONDA
        params:
            steps=steps_of(block),
            variants=METRICS["curvature"],
            code=code("curvature.py"),
            provenance=provenance("curvature.py"),
        script:
            "../scripts/curvature.py"

    rule:
        name:
            rule_name("geometry", block)
        input:
            entropy=PATHS.steps("{model}", block.steps, "entropy.parquet"),
            curvature=PATHS.steps("{model}", block.steps, "curvature.parquet"),
            grams=PATHS.steps(
                "{model}", block.steps if FURTHER else [], "grams.safetensors"
            ),
            plugins=PLUGINS if FURTHER else [],
            stimuli=PATHS.at("stimuli.parquet"),
            features=PATHS.steps("{model}", block.steps, "features.safetensors"),
        output:
            sentences=PATHS.steps("{model}", block.steps, "geometry.parquet"),
            layers=PATHS.steps("{model}", block.steps, "geometry_layers.parquet"),
            population=PATHS.steps("{model}", block.steps, "population.parquet"),
            similarity=PATHS.steps("{model}", block.steps, "depth_similarity.parquet"),
        log:
            PATHS.log(f"{{model}}/geometry_{block.label}"),
        wildcard_constraints:
            model=any_of(GRID.models_of(block.suite)),
        conda:
            CONDA
        params:
            steps=steps_of(block),
            further=FURTHER,
            code=code("geometry.py"),
            provenance=provenance("geometry.py"),
        script:
            "../scripts/geometry.py"


for kind, file in {
    "geometry": "geometry_layers",
    "population": "population",
    "depth_similarity": "depth_similarity",
}.items():

    rule:
        name:
            f"{kind}_table"
        input:
            [
                PATHS.step(model, step, f"{file}.parquet")
                for model, step in GRID.checkpoints()
            ],
        output:
            PATHS.table(kind),
        log:
            PATHS.log(f"{kind}_table"),
        conda:
            CONDA
        params:
            kind=kind,
            code=code("stack.py"),
            provenance=provenance("stack.py"),
        script:
            "../scripts/stack.py"
