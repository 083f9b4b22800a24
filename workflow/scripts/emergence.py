"""Find when each region's alignment emerges, in every model."""

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.curves.sound import sound
from geomod.emergence.onsets import emergence

with job(snakemake.log[0], snakemake.threads):
    inputs = snakemake.input
    encoding = sound(read_table(inputs.encoding), read_table(inputs.checkpoints))
    table = emergence(encoding, **snakemake.params.settings)
    origin = derived(snakemake.params.provenance, snakemake.input)
    write_table(
        table.assign(dataset=snakemake.wildcards.dataset), snakemake.output[0], "emergence", origin
    )
