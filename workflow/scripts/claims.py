"""Answer the five claims."""

import json
from pathlib import Path

from geomod.claims import claims
from geomod.files import whole
from geomod.inference import Settings
from geomod.jobs import job
from geomod.recovery import planted_claims
from geomod.sound import sound
from geomod.tables import read_table

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    tokens, checkpoints = read_table(inputs.tokens), read_table(inputs.checkpoints)
    truth, calibration = next(iter(inputs.truth), None), next(iter(inputs.calibration), None)
    answers = claims(
        sound(read_table(inputs.geometry), checkpoints),
        sound(read_table(inputs.encoding), checkpoints),
        read_table(inputs.modules),
        read_table(inputs.emergence),
        tokens[["model", "parameters"]].drop_duplicates(),
        settings=Settings(**params.settings),
        seed=params.seed,
        **params.headline,
        folds=read_table(inputs.folds),
        covariates=tokens[["model", "step", "surprisal"]],
        calibration=read_table(calibration) if calibration else None,
        planted=planted_claims(json.loads(Path(truth).read_text("utf-8"))) if truth else None,
    )
    with whole(snakemake.output[0]) as temporary:
        temporary.write_text(json.dumps(answers, indent=2) + "\n", encoding="utf-8")
