"""Compare the scores of the low and the high module, step by step and region by region."""

from geomod.curves import gather
from geomod.jobs import job
from geomod.low_high import low_high_table
from geomod.provenance import derived
from geomod.sound import sound
from geomod.tables import read_table, write_table

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    checkpoints = read_table(inputs.checkpoints)
    curves = gather(
        sound(read_table(inputs.geometry), checkpoints),
        sound(read_table(inputs.encoding), checkpoints),
        folds=read_table(inputs.folds),
        **params.headline,
    )
    table = low_high_table(curves, read_table(inputs.modules), params.alpha)
    origin = derived(params.provenance, snakemake.input)
    write_table(table, snakemake.output[0], "low_high", origin)
