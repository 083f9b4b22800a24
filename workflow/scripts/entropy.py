"""Measure the entropy of every layer and sentence, from the token Grams."""

from geomod.geometry import load_plugins, measure
from geomod.grams import read_grams
from geomod.jobs import job
from geomod.provenance import derived
from geomod.tables import read_table, write_table

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    for plugins in snakemake.input.plugins:
        load_plugins(plugins)
    stimuli = snakemake.input.stimuli
    items = read_table(stimuli)["item_id"]
    for step, grams, path in zip(
        params.steps, snakemake.input.grams, snakemake.output, strict=True
    ):
        values = measure(read_grams(grams), items, {"entropy": params.variants})
        values = values.assign(model=snakemake.wildcards.model, step=step)
        origin = derived(params.provenance, [stimuli, grams])
        write_table(values, path, "sentence_geometry", origin)
