"""Correlate geometry and score given training progress, as in the paper."""

from geomod.correlations import correlations
from geomod.curves import gather
from geomod.inference import Settings
from geomod.jobs import job
from geomod.provenance import derived
from geomod.sound import sound
from geomod.tables import read_table, write_table

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    checkpoints = read_table(inputs.checkpoints)
    curves = gather(
        sound(read_table(inputs.geometry), checkpoints),
        sound(read_table(inputs.encoding), checkpoints),
        **params.headline,
    )
    table = correlations(curves, Settings(**params.settings))
    origin = derived(params.provenance, snakemake.input)
    write_table(table, snakemake.output[0], "correlations", origin)
