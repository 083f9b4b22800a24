"""Train one toy model and save it at every step that is asked for."""

from pathlib import Path

from geomod.base.files import step_of
from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import write_table
from geomod.toy.training import train

with job(snakemake.log[0], snakemake.threads):
    output, params = snakemake.output, snakemake.params
    steps = [step_of(path) for path in output.loss]
    folder = Path(output.loss[0]).parents[1]
    origin = derived(params.provenance, [])
    losses = train(params.size, steps, params.seed, folder, origin).set_index("step", drop=False)
    for step, path in zip(steps, output.loss, strict=True):
        write_table(losses.loc[[step]].reset_index(drop=True), path, "loss", origin)
