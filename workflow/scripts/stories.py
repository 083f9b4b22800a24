"""Make up the stories of an experiment on the toy language, word by word."""

from pathlib import Path

from geomod.base.jobs import job
from geomod.toy.language import make_language
from geomod.toy.stories import sample_stories, write_words

with job(snakemake.log[0], snakemake.threads):
    params = snakemake.params
    language = make_language(params.language)
    words = sample_stories(language, params.stories, params.trs, params.seed)
    write_words(words, Path(snakemake.output[0]))
