"""Hold what a simulated run found against what was planted."""

import pandas as pd

from geomod.grams import read_features
from geomod.jobs import job
from geomod.provenance import derived
from geomod.recovery import compare, probe_curves
from geomod.seals import read_json
from geomod.simulate import planted_signals
from geomod.tables import read_table, write_table

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    checkpoints = (
        (model, step, read_features(path))
        for (model, step), path in zip(params.checkpoints, inputs.features, strict=True)
    )
    truth = read_json(inputs.truth)
    signals = planted_signals(pd.read_csv(inputs.sentences))
    table = compare(
        truth,
        probe_curves(checkpoints, signals, params.seed),
        read_table(inputs.ceiling),
        read_table(inputs.encoding),
        read_table(inputs.emergence),
        params.seed,
    )
    origin = derived(params.provenance, snakemake.input)
    write_table(table, snakemake.output[0], "recovery", origin)
