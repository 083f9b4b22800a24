"""Hold models against their tuned versions."""

import pandas as pd

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.claims.tuned import Measured, compare

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    encoding = read_table(inputs.encoding)
    competence = [read_table(path) for path in inputs.competence]
    measured = {}
    for place, (model, step) in enumerate(params.last):

        def of_it(table, model=model, step=step):
            return table[(table["model"] == model) & (table["step"] == step)]

        sets = len(params.task_sets)
        own = inputs.spans[place * sets : (place + 1) * sets]
        measured[model] = Measured(
            model,
            of_it(encoding),
            read_table(inputs.geometry[place]),
            read_table(inputs.tokens[place]),
            read_table(inputs.of_items[place]) if inputs.of_items else None,
            pd.concat(map(read_table, own)) if own else None,
            of_it(competence[0]) if competence else None,
        )
    pairs = [(measured[base], measured[tuned]) for base, tuned in params.pairs]
    table = compare(pairs, params.headline, params.alpha)
    origin = derived(params.provenance, snakemake.input)
    told = table.assign(dataset=snakemake.wildcards.dataset)
    write_table(told, snakemake.output[0], "tuned", origin)
