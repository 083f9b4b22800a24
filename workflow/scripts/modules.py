"""Find the modules that the layers of every model form at every step."""

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.curves.sound import sound
from geomod.modules.partition import find_modules

with job(snakemake.log[0], snakemake.threads):
    inputs = snakemake.input
    geometry = sound(read_table(inputs.geometry), read_table(inputs.checkpoints))
    modules = find_modules(geometry, **snakemake.params.settings)
    origin = derived(snakemake.params.provenance, snakemake.input)
    write_table(
        modules.assign(dataset=snakemake.wildcards.dataset), snakemake.output[0], "modules", origin
    )
