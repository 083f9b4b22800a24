"""Find when each region's alignment emerges, in every model."""

from geomod.emergence import emergence
from geomod.jobs import job
from geomod.provenance import derived
from geomod.sound import sound
from geomod.tables import read_table, write_table

with job(snakemake.log[0], snakemake.threads):
    inputs = snakemake.input
    encoding = sound(read_table(inputs.encoding), read_table(inputs.checkpoints))
    table = emergence(encoding, **snakemake.params.settings)
    origin = derived(snakemake.params.provenance, snakemake.input)
    write_table(table, snakemake.output[0], "emergence", origin)
