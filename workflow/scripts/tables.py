"""Put what each dataset brings to a table on top of one another."""

import pandas as pd

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table

KINDS = {"tokens": "tokens_summary"}  # what a table is, where its name does not say it

with job(snakemake.log[0], snakemake.threads):
    for name, path in snakemake.output.items():
        files = snakemake.input[name]
        files = [files] if isinstance(files, str) else files
        table = pd.concat([read_table(file) for file in files], ignore_index=True)
        origin = derived(snakemake.params.provenance, files)
        write_table(table, path, KINDS.get(name, name), origin)
