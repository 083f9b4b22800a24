"""Read and check the responses to stories, hold them against the words, estimate the ceilings."""

from geomod.base.errors import called
from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.seals import write_json
from geomod.base.tables import write_table
from geomod.brain.dataset import Dataset
from geomod.brain.story import read_band, read_repeats, read_story_responses
from geomod.brain.story_ceiling import story_ceilings
from geomod.brain.telling import check_telling, read_telling

with job(snakemake.log[0], snakemake.threads), called(snakemake.params.key):
    params, output = snakemake.params, snakemake.output
    dataset = Dataset.of(params.dataset)
    telling = read_telling(dataset)
    responses = read_story_responses(dataset, telling.told)
    repeats = read_repeats(dataset, telling.told)
    ceiling = story_ceilings(dataset, responses.table, repeats, telling.rows, seed=params.seed)
    lags, lag_check, warnings = check_telling(dataset, telling.rows, responses.table)
    origin = derived(params.provenance, [snakemake.input.rows])
    write_table(responses.table, output.responses, "responses", origin)
    write_table(read_band(telling.told), output.confounds, "confounds", origin)
    for table, kind in ((ceiling, "ceiling"), (lags, "lags"), (lag_check, "lag_check")):
        write_table(table.assign(dataset=dataset.name), output[kind], kind, origin)
    write_json([*telling.notes, *responses.notes, *warnings], output.notes)
