"""Let a made-up brain read the made-up sentences, and say what is planted in it."""

from pathlib import Path

from geomod.base.jobs import job
from geomod.base.seals import write_json
from geomod.toy.brain import simulate_brain
from geomod.toy.language import make_language, sample_stimuli

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    stimuli = sample_stimuli(make_language(params.language), params.sentences, params.seed)
    truth = simulate_brain(
        stimuli,
        Path(snakemake.output.truth).parent,
        seed=params.seed,
        participants=params.participants,
    )
    write_json(truth, snakemake.output.truth)
