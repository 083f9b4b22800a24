"""Measure every sentence by the metrics of the config, average them over the sentences, and measure
the sentences as a set, and their way through the layers."""

from pathlib import Path

import pandas as pd

from geomod.base.files import step_of
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
    tables = {Path(path).stem: (path, []) for path in output.layers}
    for grams, states, path in zip(inputs.grams, inputs.features, output.sentences, strict=True):
        place = Place(params.model, step_of(path), snakemake.wildcards.dataset)
        at_checkpoint(place.model, place.step)
        values = measure(read_grams(grams), items, params.metrics)
        features = read_features(states)
        origin = derived(params.provenance, [inputs.stimuli, grams, states])
        write_table(values.assign(**place.columns), path, "sentence_geometry", origin)
        for kind, table in (
            ("geometry", summarize(values)),
            ("population", measure_population(features, further)),
            ("depth_similarity", depth_similarity(features)),
            ("depth", measure_depth(features)),
        ):
            tables[kind][1].append(table.assign(**place.columns))
    origin = derived(params.provenance, [inputs.stimuli, *inputs.grams, *inputs.features])
    for kind, (path, parts) in tables.items():
        write_table(pd.concat(parts, ignore_index=True), path, kind, origin)
