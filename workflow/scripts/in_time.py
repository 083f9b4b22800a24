"""Responses to words second by second, and what shuffled TRs would have claimed of the scores."""

import pandas as pd

from geomod.base.files import whole
from geomod.base.jobs import job
from geomod.base.layers import read_features
from geomod.base.provenance import derived
from geomod.base.seals import read_json, seal_svg
from geomod.base.tables import read_table, write_table
from geomod.encoding.in_time import TIME, bumps, impulses, shuffling, with_planted
from geomod.encoding.settings import Settings
from geomod.report.in_time import draw_in_time

with job(snakemake.log[0], snakemake.threads):
    params, inputs, output = snakemake.params, snakemake.input, snakemake.output
    responses, rows = read_table(inputs.responses), read_table(inputs.rows)
    settings, name = Settings(**params.encoding), snakemake.wildcards.dataset
    truth = read_json(inputs.truth[0]) if inputs.truth else None
    impulse = with_planted(impulses(responses, rows, settings, params.tr), truth)
    alone = shuffling({0: bumps(rows)}, responses, rows, settings).assign(model=TIME, step=0)
    claimed = [
        shuffling(read_features(path), responses, rows, settings).assign(model=model, step=step)
        for (model, step), path in zip(params.checkpoints, inputs.features, strict=True)
    ]
    claimed = pd.concat([*claimed, alone], ignore_index=True)
    origin = derived(params.provenance, snakemake.input)
    for kind, table in (("impulse", impulse), ("shuffling", claimed)):
        write_table(table.assign(dataset=name), output[kind], kind, origin)
    with whole(output.figure) as path:
        draw_in_time(impulse, claimed, path)
        seal_svg(path, output.figure)
