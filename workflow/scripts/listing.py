"""List the checkpoints of a model: commits, sizes, hashes. Downloads nothing."""

from geomod.base.jobs import job
from geomod.checkpoints.listings import source_of, take_listing, write_listing

with job(snakemake.log[0], snakemake.threads):
    write_listing(take_listing(source_of(**snakemake.params.source)), snakemake.output[0])
