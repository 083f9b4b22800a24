"""Cut the layers of every checkpoint into contiguous blocks."""

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.curves.sound import sound
from geomod.modules.blocks import find_blocks

with job(snakemake.log[0], snakemake.threads):
    inputs = snakemake.input
    similarity = sound(read_table(inputs.similarity), read_table(inputs.checkpoints))
    table = find_blocks(similarity, **snakemake.params.settings)
    origin = derived(snakemake.params.provenance, snakemake.input)
    write_table(
        table.assign(dataset=snakemake.wildcards.dataset), snakemake.output[0], "blocks", origin
    )
