"""Put tables of one kind on top of one another: of layers, checkpoints, models or datasets."""

import pandas as pd

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import empty_table, read_table, write_table

KINDS = {"tokens": "tokens_summary"}  # what a table is, where its name does not say it

with job(snakemake.log[0], snakemake.threads):
    for name, path in snakemake.output.items():
        files = snakemake.input[name]
        files = [files] if isinstance(files, str) else files
        kind = KINDS.get(name, name)
        tables = [read_table(file) for file in files] or [empty_table(kind)]
        origin = derived(snakemake.params.provenance, files)
        write_table(pd.concat(tables, ignore_index=True), path, kind, origin)
