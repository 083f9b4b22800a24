"""Write the report."""

from pathlib import Path

from geomod.base.benchmarks import read_benchmarks
from geomod.base.files import whole
from geomod.base.jobs import job
from geomod.base.seals import read_json, read_svg
from geomod.base.tables import read_table
from geomod.curves.sound import not_counted
from geomod.geometry.measuring import left_out
from geomod.models.tokens import unfamiliar
from geomod.report.captions import caption
from geomod.report.gallery import lacking, of_dataset, with_claims
from geomod.report.page import Part, render
from geomod.report.sinks import sinks

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    files = [*inputs.tables, *inputs.recovery, *inputs.calibration]
    tables = {Path(path).stem: read_table(path) for path in files}
    claims = read_json(inputs.claims)
    tables = with_claims(tables, claims)
    svg = {tuple(key): path for key, path in zip(params.plates, inputs.figures, strict=True)}
    said = dict(zip(params.datasets, inputs.controls, strict=True)) if inputs.controls else {}
    parts = {}
    for dataset, notes in zip(params.datasets, inputs.notes, strict=True):
        own = of_dataset(tables, dataset)
        parts[dataset] = Part(
            notes=[
                *read_json(notes),
                *left_out(own["geometry"]),
                *sinks(own["geometry"]),
                *unfamiliar(own["tokens"]),
            ],
            figures={name: read_svg(path) for (of, name), path in svg.items() if of == dataset},
            lacking=lacking(own),
            recovery=own.get("recovery"),
            calibration=own.get("calibration"),
            controls=read_json(said[dataset]) if said else {},
        )
    page = render(
        Path(inputs.template[0]),
        config=params.config,
        claims=claims,
        notes=not_counted(read_table(inputs.checkpoints)),
        parts=parts,
        tables=tables,
        checkpoints=read_table(inputs.listed),
        took=read_benchmarks(Path(snakemake.output.page).parent),
    )
    with whole(snakemake.output.page) as temporary:
        temporary.write_text(page, encoding="utf-8")
    for (dataset, name), path in zip(params.plates, snakemake.output.captions, strict=True):
        with whole(path) as temporary:
            temporary.write_text(caption(name, of_dataset(tables, dataset)), encoding="utf-8")
