"""Draw one map of voxels on a brain."""

from geomod.brain_figures import draw_map
from geomod.jobs import job

with job(snakemake.log[0], snakemake.threads):
    names = snakemake.wildcards
    title = f"{names.model}, step {names.step}, {names.label.replace('_', ', ')}"
    draw_map(snakemake.input[0], snakemake.output[0], title=title)
