"""Hold the best layers and the half-times of regions against their places in the cortex."""

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.curves.sound import sound
from geomod.emergence.hierarchy import hierarchy

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    encoding = sound(read_table(inputs.encoding), read_table(inputs.checkpoints))
    table = hierarchy(encoding, read_table(inputs.emergence), params.order, seed=params.seed)
    origin = derived(params.provenance, snakemake.input)
    write_table(
        table.assign(dataset=snakemake.wildcards.dataset), snakemake.output[0], "hierarchy", origin
    )
