"""Draw one map of voxels on a brain."""

from geomod.base.jobs import job
from geomod.report.voxels import KINDS, draw_map

with job(snakemake.log[0], snakemake.threads):
    names = snakemake.wildcards
    label, _, kind = names.label.partition(".")
    title = f"{names.model}, step {names.step}, {label.replace('_', ', ')}"
    source, path = snakemake.input[0], snakemake.output[0]
    draw_map(source, path, title=title, label=KINDS[kind], signed=bool(kind))
