"""Say what each claim could find on a grid, before anything is downloaded."""

from geomod.base.files import whole
from geomod.base.jobs import job
from geomod.base.tables import write_table
from geomod.curves.settings import Settings
from geomod.scrutiny.power import as_sentences, assumed_design, power
from geomod.scrutiny.synthetic import Frame

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    assumed = dict(params.assumed)
    draws = assumed.pop("draws")
    settings = Settings(**params.settings)
    design = assumed_design([Frame(*shape) for shape in params.shapes], params.regions, **assumed)
    table = power(design, settings=settings, seed=params.seed, draws=draws, jobs=snakemake.threads)
    write_table(table, snakemake.output.table, "power", params.provenance)
    with whole(snakemake.output.text) as temporary:
        temporary.write_text("\n".join([*as_sentences(table), ""]), encoding="utf-8")
