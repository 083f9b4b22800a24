"""Estimate the headline quantities under every choice of entropy and curvature variants."""

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.curves.settings import Settings
from geomod.curves.sound import sound
from geomod.scrutiny.multiverse import specification_curve, survival

with job(snakemake.log[0], snakemake.threads):
    inputs, output, params = snakemake.input, snakemake.output, snakemake.params
    tokens, checkpoints = read_table(inputs.tokens), read_table(inputs.checkpoints)
    calibration = next(iter(inputs.calibration), None)
    curve = specification_curve(
        sound(read_table(inputs.geometry), checkpoints),
        sound(read_table(inputs.encoding), checkpoints),
        tokens[["model", "parameters"]].drop_duplicates(),
        settings=Settings(**params.settings),
        folds=read_table(inputs.folds),
        calibration=read_table(calibration) if calibration else None,
        **params.choices,
    )
    dataset = snakemake.wildcards.dataset
    origin = derived(params.provenance, snakemake.input)
    write_table(curve.assign(dataset=dataset), output.curve, "specification_curve", origin)
    write_table(survival(curve).assign(dataset=dataset), output.survival, "survival", origin)
