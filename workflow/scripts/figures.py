"""Draw all figures from the tables."""

from pathlib import Path

from geomod.base.files import whole
from geomod.base.jobs import job
from geomod.base.seals import seal_svg
from geomod.base.tables import read_table
from geomod.report.figures import save

with job(snakemake.log[0], snakemake.threads):
    inputs, output = snakemake.input, snakemake.output
    files = [*inputs.tables, *inputs.calibration]
    tables = {Path(path).stem: read_table(path) for path in files}
    for path in [*output.svg, *output.png]:
        with whole(path) as temporary:
            save(Path(path).stem, tables, temporary)
            if path in output.svg:
                seal_svg(temporary, path)
