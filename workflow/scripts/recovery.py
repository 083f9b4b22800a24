"""Hold what a simulated run found against what was planted."""

import pandas as pd

from geomod.base.jobs import job
from geomod.base.layers import read_features
from geomod.base.provenance import derived
from geomod.base.seals import read_json
from geomod.base.tables import read_table, write_table
from geomod.curves.settings import Settings
from geomod.scrutiny.recovery import (
    Competence,
    compare,
    compare_claims,
    compare_competence,
    probe_curves,
)
from geomod.toy.brain import planted_signals

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    checkpoints = (
        (model, step, read_features(path))
        for (model, step), path in zip(params.checkpoints, inputs.features, strict=True)
    )
    truth = read_json(inputs.truth)
    signals = planted_signals(pd.read_csv(inputs.sentences))
    probes = probe_curves(checkpoints, signals, params.seed)
    encoding, tokens = read_table(inputs.encoding), read_table(inputs.tokens)
    settings = Settings(**params.settings)
    tables = [
        compare(
            truth,
            probes,
            read_table(inputs.ceiling),
            encoding,
            read_table(inputs.emergence),
            params.seed,
        ),
        compare_claims(
            truth,
            probes,
            encoding,
            read_table(inputs.geometry),
            read_table(inputs.modules),
            tokens[["model", "parameters"]].drop_duplicates(),
            params.modules,
            settings,
            params.seed,
            params.headline,
        ),
    ]
    for path, answers in zip(inputs.competence, inputs.answers, strict=True):
        retaken = next(iter(inputs.retaken), None)
        found = Competence(
            read_table(path),
            tokens,
            read_table(retaken) if retaken else None,
            read_table(answers),
            params.reader,
        )
        tables.append(compare_competence(truth, probes, found, settings, params.seed))
    origin = derived(params.provenance, snakemake.input)
    write_table(
        pd.concat(tables).assign(dataset=snakemake.wildcards.dataset),
        snakemake.output[0],
        "recovery",
        origin,
    )
