"""How far the layers of a model move from each step to the next, and to the last."""

from geomod.base.jobs import job
from geomod.base.layers import read_features
from geomod.base.provenance import derived
from geomod.base.tables import write_table
from geomod.geometry.catalogue import load_plugins
from geomod.geometry.steps import speed_of_training

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    for plugins in inputs.plugins:
        load_plugins(plugins)
    files = dict(zip(params.steps, inputs.features, strict=True))
    table = speed_of_training(params.steps, lambda step: read_features(files[step]), params.seed)
    table["model"] = snakemake.wildcards.model
    origin = derived(params.provenance, [*inputs.plugins, *inputs.features])
    write_table(table, snakemake.output[0], "speed", origin)
