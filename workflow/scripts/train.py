"""Train one toy model and save it at every step that is asked for."""

from pathlib import Path

from geomod.jobs import job
from geomod.tables import write_table
from geomod.training import train

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    folder = Path(snakemake.output.loss).parent
    losses = train(params.size, params.steps, params.seed, folder, params.provenance)
    write_table(losses, snakemake.output.loss, "loss", params.provenance)
