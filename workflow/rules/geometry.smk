# The geometry of every layer, from token Grams and pooled features alone: no model, no GPU.

METRICS = CONFIG.geometry.metrics()
PLUGINS = here([CONFIG.geometry.plugins] if CONFIG.geometry.plugins else [])

for block in BLOCKS:

    rule:
        name:
            rule_name("geometry", block)
        input:
            stimuli=PATHS.data("{dataset}", "stimuli.parquet"),
            grams=PATHS.steps("{model}", block.steps, "grams.safetensors", "{dataset}"),
            features=PATHS.steps(
                "{model}", block.steps, "features.safetensors", "{dataset}"
            ),
            plugins=PLUGINS,
        output:
            sentences=PATHS.steps(
                "{model}", block.steps, "geometry.parquet", "{dataset}"
            ),
            layers=PATHS.steps(
                "{model}", block.steps, "geometry_layers.parquet", "{dataset}"
            ),
            population=PATHS.steps(
                "{model}", block.steps, "population.parquet", "{dataset}"
            ),
            similarity=PATHS.steps(
                "{model}", block.steps, "depth_similarity.parquet", "{dataset}"
            ),
            depth=PATHS.steps("{model}", block.steps, "depth.parquet", "{dataset}"),
        log:
            PATHS.log(f"{{model}}/{{dataset}}/geometry_{block.label}"),
        benchmark:
            PATHS.benchmark("geometry", f"{{model}}/{{dataset}}/{block.label}")
        wildcard_constraints:
            model=any_of(GRID.models_of(block.suite)),
        conda:
            CONDA
        resources:
            **needs("geometry", block),
        params:
            steps=steps_of(block),
            metrics=CONFIG.geometry.measured(),
            topology=CONFIG.geometry.topology,
            code=code("geometry.py"),
            provenance=provenance("geometry.py"),
        script:
            "../scripts/geometry.py"


for kind, file in {
    "geometry": "geometry_layers",
    "population": "population",
    "depth_similarity": "depth_similarity",
    "depth": "depth",
}.items():

    rule:
        name:
            f"{kind}_table"
        input:
            of_checkpoints(file),
        output:
            PATHS.table(kind, "{dataset}"),
        log:
            PATHS.log(f"data/{{dataset}}/{kind}_table"),
        benchmark:
            PATHS.benchmark(f"{kind}_table", "{dataset}")
        conda:
            CONDA
        resources:
            **needs(f"{kind}_table"),
        params:
            kind=kind,
            code=code("stack.py"),
            provenance=provenance("stack.py"),
        script:
            "../scripts/stack.py"
