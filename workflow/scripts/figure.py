"""Draw one figure from the tables."""

from geomod.figures import save
from geomod.files import whole
from geomod.gallery import GALLERY
from geomod.jobs import job
from geomod.seals import seal_svg
from geomod.tables import read_table

with job(snakemake.log[0], snakemake.threads):
    name, inputs = snakemake.wildcards.figure, snakemake.input
    files = dict(zip(GALLERY[name].tables, inputs.tables, strict=True))
    files |= dict(zip(["calibration"], inputs.calibration, strict=False))
    tables = {table: read_table(path) for table, path in files.items()}
    for path in snakemake.output:
        with whole(path) as temporary:
            save(name, tables, temporary)
            if path == snakemake.output.svg:
                seal_svg(temporary, path)
