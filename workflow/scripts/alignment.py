"""Hold the layers of checkpoints against regions and their voxels, by measures that fit nothing."""

from geomod.base.files import step_of
from geomod.base.jobs import job
from geomod.base.layers import read_features
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.brain.dataset import Dataset
from geomod.brain.patterns import read_patterns
from geomod.encoding.alignment import load_measures
from geomod.encoding.likeness import align, answers_of
from geomod.plan.place import Place

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    for plugins in inputs.plugins:
        load_measures(plugins)
    stimuli, responses = read_table(inputs.stimuli), read_table(inputs.responses)
    dataset = Dataset.of(params.dataset)
    patterns = read_patterns(dataset, stimuli) if params.patterns else ()
    answers = answers_of(responses, stimuli, patterns, tuple(params.quantiles))
    for path, file in zip(inputs.features, snakemake.output, strict=True):
        place = Place(snakemake.wildcards.model, step_of(path), snakemake.wildcards.dataset)
        table = align(read_features(path), answers)
        given = [inputs.stimuli, inputs.responses, *inputs.voxels, *inputs.plugins, path]
        origin = derived(params.provenance, given)
        write_table(table.assign(**place.columns), file, "alignment", origin)
