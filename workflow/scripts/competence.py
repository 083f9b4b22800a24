"""Score every task of every checkpoint, and put beside it what others published."""

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.competence.published import Published, read_published
from geomod.competence.reading import read_task_set
from geomod.competence.scores import gather, score
from geomod.competence.source import Source

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    task_sets = [read_task_set(Source.of(values)) for values in params.task_sets]
    scored = [score(read_table(path), task_sets) for path in inputs.of_items]
    published = [read_published(Published(**values)) for values in params.published]
    origin = derived(params.provenance, inputs.of_items)
    write_table(gather([*scored, *published]), snakemake.output[0], "competence", origin)
