"""Draw all figures from the tables."""

from contextlib import ExitStack
from pathlib import Path

from geomod.base.files import whole
from geomod.base.jobs import job
from geomod.base.seals import read_json, seal_svg
from geomod.base.tables import read_table
from geomod.report.figures import save
from geomod.report.gallery import of_dataset, with_claims

with job(snakemake.log[0], snakemake.threads):
    inputs, output, plates = snakemake.input, snakemake.output, snakemake.params.plates
    files = [*inputs.tables, *inputs.recovery, *inputs.calibration]
    tables = {Path(path).stem: read_table(path) for path in files}
    tables = with_claims(tables, read_json(inputs.claims))
    for (dataset, name), *paths in zip(plates, output.svg, output.pdf, output.png, strict=True):
        with ExitStack() as stack:
            files = [stack.enter_context(whole(path)) for path in paths]
            save(name, of_dataset(tables, dataset), *files)
            seal_svg(files[0], paths[0])
