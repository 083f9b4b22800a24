"""Set runs side by side."""

from pathlib import Path

from geomod.base.files import whole
from geomod.base.jobs import job
from geomod.base.seals import read_json
from geomod.base.tables import read_table
from geomod.report.runs import compare

with job(snakemake.log[0], snakemake.threads):
    inputs = snakemake.input
    files = zip(snakemake.params.runs, inputs.claims, inputs.encodings, strict=True)
    runs = {name: (read_json(a), {"encoding": read_table(b)}) for name, a, b in files}
    page = compare(Path(inputs.template[0]), runs)
    with whole(snakemake.output[0]) as temporary:
        temporary.write_text(page, encoding="utf-8")
