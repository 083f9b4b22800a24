"""Draw one map of voxels on a brain."""

from geomod.base.jobs import job
from geomod.report.voxels import draw_map

with job(snakemake.log[0], snakemake.threads):
    names = snakemake.wildcards
    title = f"{names.model}, step {names.step}, {names.label.replace('_', ', ')}"
    draw_map(snakemake.input[0], snakemake.output[0], title=title)
