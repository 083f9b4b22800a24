"""Read and check the responses, average participants, estimate the noise ceilings."""

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.seals import write_json
from geomod.base.tables import read_table, write_table
from geomod.brain.ceiling import dataset_ceilings
from geomod.brain.responses import read_responses
from geomod.encoding.groups import check_groups

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    stimuli = read_table(snakemake.input.stimuli)
    responses = read_responses(params.dataset, stimuli)
    check_groups(responses.table, stimuli, params.grouping)
    ceiling = dataset_ceilings(params.dataset, responses.table, seed=params.seed)
    origin = derived(params.provenance, [snakemake.input.stimuli])
    write_table(responses.table, snakemake.output.responses, "responses", origin)
    write_table(ceiling, snakemake.output.ceiling, "ceiling", origin)
    write_json(responses.notes, snakemake.output.notes)
