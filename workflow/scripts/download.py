"""Bring a file from the web and hold it to its checksum; unpack what is wanted of an archive."""

from pathlib import Path

from geomod.download import download, extract
from geomod.jobs import job

with job(snakemake.log[0], snakemake.threads):
    wanted = snakemake.params.archive
    archive = Path(wanted["folder"]) / Path(wanted["url"]).name
    download(wanted["url"], archive, wanted["sha256"])
    if archive.name not in wanted["files"]:
        extract(archive, wanted["files"], wanted["folder"])
