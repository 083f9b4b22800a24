"""What every item of the task sets came to, a table a checkpoint."""

import pandas as pd

from geomod.base.files import step_of
from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.competence.reading import read_task_set
from geomod.competence.source import Source

with job(snakemake.log[0], snakemake.threads):
    task_sets = [read_task_set(Source.of(values)) for values in snakemake.params.task_sets]
    for path in snakemake.output:
        own = [file for file in snakemake.input.spans if step_of(file) == step_of(path)]
        found = []
        for task_set, file in zip(task_sets, own, strict=True):
            spans = read_table(file)
            place = spans.iloc[0][["model", "step"]].to_dict()
            found.append(task_set.items(spans).assign(**place))
        origin = derived(snakemake.params.provenance, own)
        write_table(pd.concat(found, ignore_index=True), path, "items", origin)
