# Maps of voxels: one participant, one layer, one checkpoint each. Nothing else depends on them.

MAPS = CONFIG.maps


if MAPS:

    rule voxel_map:
        input:
            data=lambda wildcards: here(response_files(of_participant(wildcards))),
            stimuli=lambda wildcards: rows_of(CONFIG.mapped),
            splits=of_rows("splits", CONFIG.mapped),
            features=PATHS.step(
                "{model}", "{step}", "features.safetensors", CONFIG.mapped
            ),
        output:
            [
                PATHS.voxels(
                    Place("{model}", "{step}", CONFIG.mapped),
                    "{participant}",
                    layer,
                    "nii.gz" if map_space(DATASETS[CONFIG.mapped], "") else "parquet",
                )
                for layer in MAPS.layers
            ],
        log:
            PATHS.log("{model}/voxel_map_{step}_{participant}"),
        benchmark:
            PATHS.benchmark("voxel_map", "{model}/{step}_{participant}")
        wildcard_constraints:
            participant=any_of(MAPS.participants),
        conda:
            CONDA
        threads: CONFIG.jobs.threads
        resources:
            **needs("voxel_map"),
            gpu=GPU,
            gpu_here=gpu_here,
        params:
            name=CONFIG.mapped,
            dataset=lambda wildcards: asdict(of_participant(wildcards)),
            layers=MAPS.layers,
            encoding=asdict(voxel_settings(CONFIG)),
            device=CONFIG.device,
            code=code("voxel_map.py"),
            provenance=provenance("voxel_map.py"),
        script:
            "../scripts/voxel_map.py"

    rule voxel_figure:
        input:
            PATHS.at("maps/{model}/step{step}/{dataset}/{label}.nii.gz"),
        output:
            report(
                PATHS.at("maps/{model}/step{step}/{dataset}/{label}.png"),
                caption="../report/voxels.rst",
                category="Voxels",
                labels={
                    "dataset": "{dataset}",
                    "model": "{model}",
                    "step": "{step}",
                    "map": "{label}",
                },
            ),
        log:
            PATHS.log("{model}/{dataset}/voxel_figure_{step}_{label}"),
        benchmark:
            PATHS.benchmark("voxel_figure", "{model}/{dataset}/{step}_{label}")
        wildcard_constraints:
            label=r"sub-[^/]+_layer[0-9]+(\.change|\.selectivity)?",
        conda:
            CONDA
        resources:
            **needs("voxel_figure"),
        params:
            code=code("voxel_figure.py"),
        script:
            "../scripts/voxel_figure.py"

    rule moran:
        input:
            maps_of("{model}", "{participant}", "nii.gz"),
        output:
            table=PATHS.at(
                f"maps/{{model}}/{CONFIG.mapped}/sub-{{participant}}_moran.parquet"
            ),
            changes=maps_of("{model}", "{participant}", "change.nii.gz"),
            prefer=maps_of("{model}", "{participant}", "selectivity.nii.gz"),
        log:
            PATHS.log("{model}/moran_{participant}"),
        benchmark:
            PATHS.benchmark("moran", "{model}/{participant}")
        wildcard_constraints:
            participant=any_of(MAPS.participants),
        conda:
            CONDA
        resources:
            **needs("moran"),
        params:
            dataset=CONFIG.mapped,
            steps=MAPS.steps,
            layers=MAPS.layers,
            draws=CONFIG.inference.null_draws,
            seed=SEED,
            code=code("moran.py"),
            provenance=provenance("moran.py"),
        script:
            "../scripts/moran.py"

    rule moran_table:
        input:
            moran=[
                PATHS.at(f"maps/{model}/{CONFIG.mapped}/sub-{name}_moran.parquet")
                for model in MAPS.models
                for name in MAPS.participants
            ],
        output:
            moran=PATHS.table("moran", CONFIG.mapped),
        log:
            PATHS.log(f"data/{CONFIG.mapped}/moran_table"),
        benchmark:
            PATHS.benchmark("moran_table")
        conda:
            CONDA
        resources:
            **needs("moran_table"),
        params:
            code=code("tables.py"),
            provenance=provenance("tables.py"),
        script:
            "../scripts/tables.py"


rule voxel_maps:
    input:
        all_maps,
