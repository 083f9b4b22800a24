"""Read and check the responses, average participants, estimate the noise ceilings."""

import json

from geomod.brain import read_responses
from geomod.ceiling import dataset_ceilings
from geomod.files import whole
from geomod.grouping import check_groups
from geomod.jobs import job
from geomod.tables import read_table, write_table

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    stimuli = read_table(snakemake.input.stimuli)
    responses = read_responses(params.dataset, stimuli)
    check_groups(responses.table, stimuli, params.grouping)
    ceiling = dataset_ceilings(params.dataset, responses.table, seed=params.seed)
    write_table(responses.table, snakemake.output.responses, "responses", params.provenance)
    write_table(ceiling, snakemake.output.ceiling, "ceiling", params.provenance)
    with whole(snakemake.output.notes) as temporary:
        temporary.write_text(json.dumps(responses.notes, indent=2) + "\n", encoding="utf-8")
