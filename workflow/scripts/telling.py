"""Read the words of stories, and from the headers of the scans when their rows were measured."""

from geomod.base.errors import called
from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import write_table
from geomod.brain.dataset import Dataset
from geomod.brain.telling import read_telling

with job(snakemake.log[0], snakemake.threads), called(snakemake.params.key):
    telling = read_telling(Dataset.of(snakemake.params.dataset))
    origin = derived(snakemake.params.provenance, [])
    for kind in ("stimuli", "words", "rows"):
        write_table(getattr(telling, kind), snakemake.output[kind], kind, origin)
