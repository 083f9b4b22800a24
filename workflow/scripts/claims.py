"""Put the claims of all datasets together, and pool them where there are three or more."""

from geomod.base.jobs import job
from geomod.base.seals import read_json, write_json
from geomod.claims.pooled import pooled

with job(snakemake.log[0], snakemake.threads):
    of_each = [read_json(path) for path in snakemake.input.of_each]
    entries = [entry for entries in of_each for entry in entries]
    write_json(entries + pooled(entries, snakemake.params.alpha), snakemake.output[0])
