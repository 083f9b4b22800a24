"""Train one toy model and save it at every step that is asked for."""

from pathlib import Path

from geomod.jobs import job
from geomod.provenance import derived
from geomod.tables import write_table
from geomod.training import train

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    folder = Path(snakemake.output.loss).parent
    origin = derived(params.provenance, [])
    losses = train(params.size, params.steps, params.seed, folder, origin)
    write_table(losses, snakemake.output.loss, "loss", origin)
