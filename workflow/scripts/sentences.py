"""Make up the sentences of an experiment on the toy language."""

from geomod.base.files import whole
from geomod.base.jobs import job
from geomod.toy.language import make_language, sample_stimuli

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    stimuli = sample_stimuli(make_language(params.language), params.sentences, params.seed)
    with whole(snakemake.output[0]) as temporary:
        stimuli.to_csv(temporary, index=False)
