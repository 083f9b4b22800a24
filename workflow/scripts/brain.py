"""Read and check the responses, average participants, estimate the noise ceilings."""

import json

from geomod.brain import read_responses
from geomod.ceiling import dataset_ceilings
from geomod.files import whole
from geomod.jobs import job
from geomod.tables import read_table, write_table

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    responses = read_responses(params.dataset, read_table(snakemake.input.stimuli))
    ceiling = dataset_ceilings(params.dataset, responses.table, seed=params.seed)
    write_table(responses.table, snakemake.output.responses, "responses", params.provenance)
    write_table(ceiling, snakemake.output.ceiling, "ceiling", params.provenance)
    with whole(snakemake.output.notes) as temporary:
        temporary.write_text(json.dumps(responses.notes, indent=2) + "\n", encoding="utf-8")
