# The geometry of every layer, from token Grams and pooled features alone: no model, no GPU.

METRICS = CONFIG.geometry.metrics()
PLUGINS = here([CONFIG.geometry.plugins] if CONFIG.geometry.plugins else [])
# Of every checkpoint of a block in one table; the values of single sentences lie with each.
OF_LAYERS = ("geometry", "population", "depth_similarity", "depth")

# A rule a model: Snakemake looks for who makes a file among all whose outputs begin alike, and
# with the model as a wildcard that would be every step of every block.
for block, model in GRID.of_models(MEASURING):

    rule:
        name:
            rule_name("geometry", block, model=model)
        input:
            stimuli=PATHS.data("{dataset}", "stimuli.parquet"),
            grams=PATHS.steps(model, block.steps, "grams.safetensors", "{dataset}"),
            features=PATHS.steps(
                model, block.steps, "features.safetensors", "{dataset}"
            ),
            plugins=PLUGINS,
        output:
            sentences=PATHS.steps(model, block.steps, "geometry.parquet", "{dataset}"),
            layers=[
                PATHS.block(model, block, f"{kind}.parquet", "{dataset}")
                for kind in OF_LAYERS
            ],
        log:
            PATHS.log(f"{model}/{{dataset}}/geometry_{block.label}"),
        benchmark:
            PATHS.benchmark("geometry", f"{model}/{{dataset}}/{block.label}")
        conda:
            CONDA
        resources:
            **needs("geometry", block, model=model),
        params:
            model=model,
            metrics=CONFIG.geometry.measured(),
            topology=CONFIG.geometry.topology,
            code=code("geometry.py"),
            provenance=provenance("geometry.py"),
        script:
            "../scripts/geometry.py"


rule geometry_tables:
    input:
        **{
            kind: [
                PATHS.block(model, block, f"{kind}.parquet", "{dataset}")
                for block, model in GRID.of_models(MEASURING)
            ]
            for kind in OF_LAYERS
        },
    output:
        **{kind: PATHS.table(kind, "{dataset}") for kind in OF_LAYERS},
    log:
        PATHS.log("data/{dataset}/geometry_tables"),
    benchmark:
        PATHS.benchmark("geometry_tables", "{dataset}")
    conda:
        CONDA
    resources:
        **needs("geometry_tables"),
    params:
        code=code("tables.py"),
        provenance=provenance("tables.py"),
    script:
        "../scripts/tables.py"
