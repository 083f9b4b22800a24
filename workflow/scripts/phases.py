"""Find the phases of training of every model and layer."""

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.curves.sound import sound
from geomod.emergence.phases import phases

with job(snakemake.log[0], snakemake.threads):
    inputs = snakemake.input
    population = sound(read_table(inputs.population), read_table(inputs.checkpoints))
    table = phases(population, **snakemake.params.settings)
    origin = derived(snakemake.params.provenance, snakemake.input)
    write_table(
        table.assign(dataset=snakemake.wildcards.dataset), snakemake.output[0], "phases", origin
    )
