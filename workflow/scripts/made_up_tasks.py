"""Make up tasks of the made-up language."""

from geomod.base.files import whole
from geomod.base.jobs import job
from geomod.toy.tasks import make_task

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    for kind, path in zip(params.kinds, snakemake.output, strict=True):
        with whole(path) as temporary:
            make_task(kind, params.seed).to_csv(temporary, index=False)
