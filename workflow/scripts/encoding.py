"""Fit encoding models from the layers of checkpoints to every region."""

from geomod.base.devices import pick
from geomod.base.jobs import job
from geomod.base.layers import read_features
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.encoding.baselines import Baselines, Ladders
from geomod.encoding.scores import encode_checkpoint, layers_in
from geomod.encoding.settings import Settings
from geomod.plan.place import Place

with job(snakemake.log[0], snakemake.threads):
    params, inputs, output = snakemake.params, snakemake.input, snakemake.output
    measured = (inputs.stimuli, inputs.responses, inputs.ceiling)
    stimuli, responses, ceiling = map(read_table, measured)
    settings, device = Settings(**params.encoding), pick(params.device)
    layers = layers_in(params.layers)
    untrained = read_features(inputs.untrained, layers) if inputs.untrained else None
    confounds = read_table(inputs.confounds) if inputs.confounds else None
    baselines = Baselines(settings, stimuli, untrained, confounds)
    for step, path, *files in zip(
        params.steps, inputs.features, output.scores, output.folds, output.baselines, strict=True
    ):
        features = read_features(path, layers)
        given = (responses, stimuli, ceiling, settings, device)
        ladders = Ladders(baselines, untrained=step > 0)
        scores, folds = encode_checkpoint(features, *given, ladders)
        place = Place(snakemake.wildcards.model, step, snakemake.wildcards.dataset)
        origin = derived(params.provenance, [*measured, path])
        more = [path for path in (inputs.untrained, inputs.confounds) if path]
        beside = derived(origin, more)
        for kind, table, file, record in zip(
            ("encoding", "folds", "baselines"),
            (scores, folds, ladders.table()),
            files,
            (origin, origin, beside),
            strict=True,
        ):
            write_table(table.assign(**place.columns), file, kind, record)
