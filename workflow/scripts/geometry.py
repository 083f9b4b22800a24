"""Add the further metrics of the config to entropy and curvature, average all of them over the
sentences, and measure the sentences as a set."""

import pandas as pd

from geomod.base.jobs import job
from geomod.base.layers import read_features
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.geometry.catalogue import load_plugins
from geomod.geometry.grams import read_grams
from geomod.geometry.measuring import measure, summarize
from geomod.geometry.sets import depth_similarity, measure_population

with job(snakemake.log[0], snakemake.threads):
    inputs, output, params = snakemake.input, snakemake.output, snakemake.params
    for plugins in inputs.plugins:
        load_plugins(plugins)
    items = read_table(inputs.stimuli)["item_id"]
    for place, step in enumerate(params.steps):
        names = {"model": snakemake.wildcards.model, "step": step}
        files = [inputs.entropy[place], inputs.curvature[place], inputs.features[place]]
        origin = derived(params.provenance, [inputs.stimuli, *files])
        parts = [read_table(path) for path in files[:2]]
        if params.further:
            further = measure(read_grams(inputs.grams[place]), items, params.further)
            parts.append(further.astype({"metric": "str", "variant": "str"}))
        values = pd.concat([part.assign(**names) for part in parts], ignore_index=True)
        features = read_features(files[2])
        for table, path, kind in (
            (values, output.sentences[place], "sentence_geometry"),
            (summarize(values), output.layers[place], "geometry"),
            (measure_population(features), output.population[place], "population"),
            (depth_similarity(features), output.similarity[place], "depth_similarity"),
        ):
            write_table(table.assign(**names), path, kind, origin)
