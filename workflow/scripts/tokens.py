"""Average what the forward passes said of the sentences' tokens, a row a checkpoint."""

from geomod.jobs import job
from geomod.tables import read_table, write_table
from geomod.tokens import summarize_tokens

with job(snakemake.log[0], snakemake.threads):
    table = summarize_tokens(read_table(path) for path in snakemake.input)
    write_table(table, snakemake.output[0], "tokens_summary", snakemake.params.provenance)
