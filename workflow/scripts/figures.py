"""Draw all figures from the tables."""

from pathlib import Path

from geomod.base.files import whole
from geomod.base.jobs import job
from geomod.base.seals import seal_svg
from geomod.base.tables import read_table
from geomod.report.figures import save
from geomod.report.gallery import of_dataset

with job(snakemake.log[0], snakemake.threads):
    inputs, output, plates = snakemake.input, snakemake.output, snakemake.params.plates
    files = [*inputs.tables, *inputs.calibration]
    tables = {Path(path).stem: read_table(path) for path in files}
    for paths in (output.svg, output.png):
        for (dataset, name), path in zip(plates, paths, strict=True):
            with whole(path) as temporary:
                save(name, of_dataset(tables, dataset), temporary)
                if paths is output.svg:
                    seal_svg(temporary, path)
