"""Let made-up people read words that surprise them as they do one checkpoint."""

import pandas as pd

from geomod.base.files import whole
from geomod.base.jobs import job
from geomod.checkpoints.listings import CheckpointSource
from geomod.checkpoints.opening import open_checkpoint
from geomod.competence.reading import read_task_set
from geomod.competence.source import Source
from geomod.models.forward import read
from geomod.models.loading import load_model
from geomod.models.scored import Scored
from geomod.toy.tasks import reading_times

with job(snakemake.log[0], snakemake.threads):
    params, words = snakemake.params, snakemake.input.words
    asked = Scored(read_task_set(Source("words", "reading_times", [words])))
    source = CheckpointSource(**params.source)
    with open_checkpoint(source, params.step, workdir=params.store) as checkpoint:
        read(*load_model(checkpoint.folder, tokenizer=checkpoint.tokenizer_folder), [asked])
    with whole(snakemake.output[0]) as temporary:
        times = reading_times(pd.read_csv(words), asked.spans, params.seed)
        times.to_csv(temporary, index=False)
