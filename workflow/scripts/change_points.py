"""Find where the geometry of every model jumps, over depth and over training."""

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.curves.sound import sound
from geomod.modules.change_points import find_change_points

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    geometry = sound(read_table(inputs.geometry), read_table(inputs.checkpoints))
    table = find_change_points(geometry, **params.headline)
    origin = derived(params.provenance, snakemake.input)
    write_table(
        table.assign(dataset=snakemake.wildcards.dataset),
        snakemake.output[0],
        "change_points",
        origin,
    )
