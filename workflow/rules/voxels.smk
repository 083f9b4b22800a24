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
            label="sub-[^/]+_layer[0-9]+",
        conda:
            CONDA
        params:
            code=code("voxel_figure.py"),
        script:
            "../scripts/voxel_figure.py"


rule voxel_maps:
    input:
        all_maps,
