"""Read and check the responses, average participants, estimate the noise ceilings."""

from geomod.brain import read_responses
from geomod.ceiling import dataset_ceilings
from geomod.grouping import check_groups
from geomod.jobs import job
from geomod.provenance import derived
from geomod.seals import write_json
from geomod.tables import read_table, write_table

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
