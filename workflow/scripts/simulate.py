"""Let a made-up brain read the made-up sentences, and say what is planted in it."""

import json
from pathlib import Path

from geomod.files import whole
from geomod.jobs import job
from geomod.language import make_language, sample_stimuli
from geomod.simulate import simulate_brain

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    stimuli = sample_stimuli(make_language(params.seed), params.sentences, params.seed)
    truth = simulate_brain(
        stimuli,
        Path(snakemake.output.truth).parent,
        seed=params.seed,
        participants=params.participants,
    )
    with whole(snakemake.output.truth) as temporary:
        temporary.write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")
