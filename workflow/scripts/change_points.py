"""Find where the geometry of every model jumps, over depth and over training."""

from geomod.change_points import find_change_points
from geomod.jobs import job
from geomod.provenance import derived
from geomod.sound import sound
from geomod.tables import read_table, write_table

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    geometry = sound(read_table(inputs.geometry), read_table(inputs.checkpoints))
    table = find_change_points(geometry, **params.headline)
    origin = derived(params.provenance, snakemake.input)
    write_table(table, snakemake.output[0], "change_points", origin)
