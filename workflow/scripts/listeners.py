"""Let made-up people listen to the made-up stories, and say what is planted in them."""

from pathlib import Path

from geomod.base.jobs import job
from geomod.base.seals import write_json
from geomod.toy.language import make_language
from geomod.toy.stories import simulate_listeners

with job(snakemake.log[0], snakemake.threads):
    params, truth = snakemake.params, snakemake.output.truth
    how = {"seed": params.seed, "stories": params.stories, "trs": params.trs}
    found = simulate_listeners(make_language(params.language), Path(truth).parent, **how)
    write_json(found, truth)
