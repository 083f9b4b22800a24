"""Draw the items of all tasks anew, the same for every checkpoint."""

import pandas as pd

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.competence.shares import ASKED, retaken
from geomod.curves.estimates import rng_of

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    items = pd.concat(read_table(path)[ASKED] for path in inputs.of_items)
    competence = read_table(inputs.competence)
    table = retaken(items, competence, params.draws, rng_of(params.seed, "items"))
    origin = derived(params.provenance, [inputs.competence])
    write_table(table, snakemake.output[0], "retaken", origin)
