"""Fit encoding models from the layers of checkpoints to every region."""

from geomod.base.devices import pick
from geomod.base.jobs import job
from geomod.base.layers import read_features
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.encoding.baselines import against_baselines
from geomod.encoding.scores import encode_checkpoint, layers_in

with job(snakemake.log[0], snakemake.threads):
    params, inputs, output = snakemake.params, snakemake.input, snakemake.output
    measured = (inputs.stimuli, inputs.responses, inputs.ceiling)
    stimuli, responses, ceiling = map(read_table, measured)
    device = pick(params.device)
    layers = layers_in(params.layers)
    untrained = read_features(inputs.untrained, layers) if inputs.untrained else None
    for step, path, *files in zip(
        params.steps, inputs.features, output.scores, output.folds, output.baselines, strict=True
    ):
        features = read_features(path, layers)
        given = (responses, stimuli)
        scores, folds = encode_checkpoint(features, *given, ceiling, params.encoding, device)
        ladder = against_baselines(
            features, untrained if step > 0 else None, *given, params.encoding, device
        )
        names = {"model": snakemake.wildcards.model, "step": step}
        origin = derived(params.provenance, [*measured, path])
        ladders = derived(origin, [inputs.untrained] if inputs.untrained else [])
        for kind, table, file, record in zip(
            ("encoding", "folds", "baselines"),
            (scores, folds, ladder),
            files,
            (origin, origin, ladders),
            strict=True,
        ):
            write_table(table.assign(**names), file, kind, record)
