"""Read and check the sentences."""

from geomod.base.errors import called
from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import write_table
from geomod.brain.dataset import Dataset
from geomod.brain.stimuli import read_stimuli

with job(snakemake.log[0], snakemake.threads), called(snakemake.params.key):
    stimuli = read_stimuli(Dataset.of(snakemake.params.dataset))
    # None of the user's files holds a record.
    origin = derived(snakemake.params.provenance, [])
    write_table(stimuli, snakemake.output[0], "stimuli", origin)
