"""Put the tables of many jobs on top of one another."""

import pandas as pd

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table

with job(snakemake.log[0], snakemake.threads):
    table = pd.concat([read_table(path) for path in snakemake.input], ignore_index=True)
    origin = derived(snakemake.params.provenance, snakemake.input)
    write_table(table, snakemake.output[0], snakemake.params.kind, origin)
