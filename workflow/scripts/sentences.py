"""Make up the sentences of an experiment on the toy language."""

from geomod.files import whole
from geomod.jobs import job
from geomod.language import make_language, sample_stimuli

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    stimuli = sample_stimuli(make_language(params.seed), params.sentences, params.seed)
    with whole(snakemake.output[0]) as temporary:
        stimuli.to_csv(temporary, index=False)
