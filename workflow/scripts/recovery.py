"""Hold what a simulated run found against what was planted."""

import pandas as pd

from geomod.base.jobs import job
from geomod.base.layers import read_features
from geomod.base.provenance import derived
from geomod.base.seals import read_json
from geomod.base.tables import read_table, write_table
from geomod.scrutiny.recovery import compare, probe_curves
from geomod.toy.brain import planted_signals

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
    write_table(
        table.assign(dataset=snakemake.wildcards.dataset), snakemake.output[0], "recovery", origin
    )
