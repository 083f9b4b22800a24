"""Read and check what a lab says of each sentence beside its responses."""

from geomod.base.errors import called
from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.brain.dataset import Dataset
from geomod.brain.rows import read_nuisances

with job(snakemake.log[0], snakemake.threads), called(snakemake.params.key):
    inputs = snakemake.input
    dataset, stimuli = Dataset.of(snakemake.params.dataset), read_table(inputs.stimuli)
    table = read_nuisances(dataset, stimuli, inputs.nuisances)
    origin = derived(snakemake.params.provenance, [inputs.stimuli])
    write_table(table, snakemake.output[0], "nuisances", origin)
