"""Read and check the sentences."""

from geomod.jobs import job
from geomod.provenance import derived
from geomod.stimuli import read_stimuli
from geomod.tables import write_table

with job(snakemake.log[0], snakemake.threads):
    stimuli = read_stimuli(snakemake.params.dataset)
    # None of the user's files holds a record.
    origin = derived(snakemake.params.provenance, [])
    write_table(stimuli, snakemake.output[0], "stimuli", origin)
