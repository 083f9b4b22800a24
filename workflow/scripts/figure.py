"""Draw one figure from the tables."""

from geomod.base.files import whole
from geomod.base.jobs import job
from geomod.base.seals import seal_svg
from geomod.base.tables import read_table
from geomod.report.figures import save
from geomod.report.gallery import GALLERY

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
