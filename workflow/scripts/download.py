"""Bring a file from the web and hold it to its checksum; unpack what is wanted of an archive."""

from geomod.base.jobs import job
from geomod.brain.download import fetch

with job(snakemake.log[0], snakemake.threads):
    wanted = snakemake.params.archive
    fetch(wanted["url"], wanted["folder"], wanted["files"], wanted["sha256"])
