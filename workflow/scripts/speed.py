"""How far the layers of a model move from each step to the next, and to the last."""

from geomod.base.jobs import job
from geomod.base.layers import read_features
from geomod.base.provenance import derived
from geomod.base.tables import write_table
from geomod.geometry.catalogue import load_plugins
from geomod.geometry.grams import read_grams
from geomod.geometry.steps import speed_of_training

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    for plugins in inputs.plugins:
        load_plugins(plugins)
    features = dict(zip(params.steps, inputs.features, strict=True))
    grams = dict(zip(params.steps, inputs.grams, strict=True))
    table = speed_of_training(
        params.steps,
        lambda step: read_features(features[step]),
        lambda step: read_grams(grams[step]),
        seed=params.seed,
    )
    table = table.assign(dataset=snakemake.wildcards.dataset, model=snakemake.wildcards.model)
    origin = derived(params.provenance, [*inputs.plugins, *inputs.features, *inputs.grams])
    write_table(table, snakemake.output[0], "speed", origin)
