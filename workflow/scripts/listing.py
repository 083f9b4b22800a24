"""List the checkpoints of a model: commits, sizes, hashes. Downloads nothing."""

from geomod.base.jobs import job
from geomod.checkpoints.listings import CheckpointSource, take_listing, write_listing

with job(snakemake.log[0], snakemake.threads):
    source = CheckpointSource(**snakemake.params.source)
    write_listing(take_listing(source), snakemake.output[0])
