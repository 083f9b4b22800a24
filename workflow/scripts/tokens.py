"""Average what the forward passes said of the sentences' tokens, a row a checkpoint."""

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.models.tokens import summarize_tokens

with job(snakemake.log[0], snakemake.threads):
    table = summarize_tokens(read_table(path) for path in snakemake.input)
    origin = derived(snakemake.params.provenance, snakemake.input)
    write_table(table, snakemake.output[0], "tokens_summary", origin)
