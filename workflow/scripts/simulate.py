"""Make up an experiment on the toy language, with planted answers."""

from pathlib import Path

from geomod.files import whole
from geomod.jobs import job
from geomod.language import make_language, sample_stimuli
from geomod.seals import write_json
from geomod.simulate import simulate_brain

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    stimuli = sample_stimuli(make_language(params.seed), params.sentences, params.seed)
    with whole(snakemake.output.sentences) as temporary:
        stimuli.to_csv(temporary, index=False)
    truth = simulate_brain(
        stimuli,
        Path(snakemake.output.sentences).parent,
        seed=params.seed,
        participants=params.participants,
    )
    write_json(truth, snakemake.output.truth)
