"""Compare the scores of the low and the high module, step by step and region by region."""

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.curves.curves import gather
from geomod.curves.sound import sound
from geomod.modules.low_high import low_high_table

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    checkpoints = read_table(inputs.checkpoints)
    curves = gather(
        sound(read_table(inputs.geometry), checkpoints),
        sound(read_table(inputs.encoding), checkpoints),
        folds=read_table(inputs.folds),
        variants=params.headline,
    )
    table = low_high_table(curves, read_table(inputs.modules), params.alpha)
    origin = derived(params.provenance, snakemake.input)
    write_table(
        table.assign(dataset=snakemake.wildcards.dataset), snakemake.output[0], "low_high", origin
    )
