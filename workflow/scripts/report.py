"""Write the report."""

from pathlib import Path

from geomod.base.files import whole
from geomod.base.jobs import job
from geomod.base.seals import read_json, read_svg
from geomod.base.tables import read_table
from geomod.curves.sound import not_counted
from geomod.geometry.measuring import left_out
from geomod.models.tokens import unfamiliar
from geomod.report.gallery import lacking
from geomod.report.page import render

with job(snakemake.log[0], snakemake.threads):
    inputs = snakemake.input
    tables = {Path(path).stem: read_table(path) for path in inputs.tables}
    recovery, calibration = (next(iter(i), None) for i in (inputs.recovery, inputs.calibration))
    page = render(
        Path(inputs.template),
        config=snakemake.params.config,
        claims=read_json(inputs.claims),
        notes=read_json(inputs.notes)
        + left_out(tables["geometry"])
        + unfamiliar(tables["tokens"])
        + not_counted(read_table(inputs.checkpoints)),
        figures={Path(p).stem: read_svg(p) for p in inputs.figures},
        lacking=lacking(tables),
        recovery=read_table(recovery) if recovery else None,
        calibration=read_table(calibration) if calibration else None,
    )
    with whole(snakemake.output[0]) as temporary:
        temporary.write_text(page, encoding="utf-8")
