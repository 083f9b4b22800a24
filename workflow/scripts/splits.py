"""Read and check the folds that a column of the sentences gives."""

from geomod.base.errors import called
from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.brain.dataset import Dataset
from geomod.brain.rows import read_splits
from geomod.encoding.groups import check_splits, with_splits
from geomod.encoding.settings import Cut

with job(snakemake.log[0], snakemake.threads), called(snakemake.params.key):
    params, inputs = snakemake.params, snakemake.input
    stimuli, responses = read_table(inputs.stimuli), read_table(inputs.responses)
    splits = read_splits(Dataset.of(params.dataset), stimuli, params.column)
    check_splits(responses, with_splits(stimuli, splits), Cut(**params.cut))
    origin = derived(params.provenance, [inputs.stimuli])
    write_table(splits, snakemake.output[0], "splits", origin)
