"""Measure every sentence by the metrics of the config, average them over the sentences, and measure
the sentences as a set, and their way through the layers."""

from geomod.base.jobs import at_checkpoint, job
from geomod.base.layers import read_features
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.geometry.catalogue import load_plugins
from geomod.geometry.depth import measure_depth
from geomod.geometry.grams import read_grams
from geomod.geometry.measuring import measure, summarize
from geomod.geometry.sets import depth_similarity, measure_population
from geomod.geometry.topology import LOOPS
from geomod.plan.place import Place

with job(snakemake.log[0], snakemake.threads):
    inputs, output, params = snakemake.input, snakemake.output, snakemake.params
    for plugins in inputs.plugins:
        load_plugins(plugins)
    further = LOOPS if params.topology else {}
    items = read_table(inputs.stimuli)["item_id"]
    for i, step in enumerate(params.steps):
        at_checkpoint(snakemake.wildcards.model, step)
        place = Place(snakemake.wildcards.model, step, snakemake.wildcards.dataset)
        grams, states = inputs.grams[i], inputs.features[i]
        origin = derived(params.provenance, [inputs.stimuli, grams, states])
        values = measure(read_grams(grams), items, params.metrics)
        features = read_features(states)
        for table, path, kind in (
            (values, output.sentences[i], "sentence_geometry"),
            (summarize(values), output.layers[i], "geometry"),
            (measure_population(features, further), output.population[i], "population"),
            (depth_similarity(features), output.similarity[i], "depth_similarity"),
            (measure_depth(features), output.depth[i], "depth"),
        ):
            write_table(table.assign(**place.columns), path, kind, origin)
