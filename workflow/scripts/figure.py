"""Draw one figure from the tables."""

from geomod.figures import save
from geomod.files import whole
from geomod.gallery import GALLERY
from geomod.jobs import job
from geomod.tables import read_table

with job(snakemake.log[0], snakemake.threads):
    name = snakemake.wildcards.figure
    names = GALLERY[name].tables
    tables = {table: read_table(path) for table, path in zip(names, snakemake.input, strict=True)}
    for path in snakemake.output:
        with whole(path) as temporary:
            save(name, tables, temporary)
