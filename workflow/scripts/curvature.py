"""Measure the curvature of every layer and sentence, from the token Grams."""

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.geometry.catalogue import load_plugins
from geomod.geometry.grams import read_grams
from geomod.geometry.measuring import measure

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    for plugins in snakemake.input.plugins:
        load_plugins(plugins)
    stimuli = snakemake.input.stimuli
    items = read_table(stimuli)["item_id"]
    for step, grams, path in zip(
        params.steps, snakemake.input.grams, snakemake.output, strict=True
    ):
        values = measure(read_grams(grams), items, {"curvature": params.variants})
        values = values.assign(model=snakemake.wildcards.model, step=step)
        origin = derived(params.provenance, [stimuli, grams])
        write_table(values, path, "sentence_geometry", origin)
