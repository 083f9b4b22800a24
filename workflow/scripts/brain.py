"""Read and check the responses, average participants, estimate the noise ceilings."""

from geomod.base.errors import called
from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.seals import write_json
from geomod.base.tables import read_table, write_table
from geomod.brain.ceiling import dataset_ceilings
from geomod.brain.dataset import Dataset
from geomod.brain.responses import read_responses
from geomod.encoding.groups import check_groups
from geomod.encoding.settings import Cut

with job(snakemake.log[0], snakemake.threads), called(snakemake.params.key):
    params = snakemake.params
    stimuli = read_table(snakemake.input.stimuli)
    dataset = Dataset.of(params.dataset)
    responses = read_responses(dataset, stimuli)
    if params.grouping:
        check_groups(responses.table, stimuli, Cut(**params.grouping))
    ceiling = dataset_ceilings(dataset, responses.table, seed=params.seed)
    origin = derived(params.provenance, [snakemake.input.stimuli])
    write_table(responses.table, snakemake.output.responses, "responses", origin)
    write_table(ceiling.assign(dataset=dataset.name), snakemake.output.ceiling, "ceiling", origin)
    write_json(responses.notes, snakemake.output.notes)
