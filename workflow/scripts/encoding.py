"""Fit encoding models from the layers of checkpoints to every region."""

from geomod.base.devices import name_of, pick
from geomod.base.files import step_of
from geomod.base.jobs import at_checkpoint, job
from geomod.base.layers import read_features, write_features
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.base.tensors import Tensors
from geomod.encoding.baselines import Baselines, Ladders
from geomod.encoding.controls import COLUMNS, Beside, Controls, together
from geomod.encoding.groups import with_splits
from geomod.encoding.scores import encode_checkpoint, layers_in
from geomod.encoding.settings import Settings
from geomod.plan.place import Place

with job(snakemake.log[0], snakemake.threads):
    params, inputs, output = snakemake.params, snakemake.input, snakemake.output
    measured = (inputs.stimuli, inputs.responses, inputs.ceiling, *inputs.splits)
    stimuli, responses, ceiling, *splits = map(read_table, measured)
    stimuli = with_splits(stimuli, *splits)
    settings, device = Settings(**params.encoding), pick(params.device)
    own = {**params.provenance, "device": name_of(device)}
    layers = layers_in(params.layers)
    untrained = read_features(inputs.untrained, layers) if inputs.untrained else None
    nuisances = next(map(read_table, inputs.nuisances), None)
    baselines = Baselines(settings, stimuli, untrained, nuisances)
    controls = None
    if inputs.controls:
        targets, columns = inputs.controls
        file = Tensors(columns)
        controls = Controls(read_table(targets), **{name: file[name] for name in COLUMNS})
    for index, (path, *files) in enumerate(
        zip(
            inputs.features,
            output.scores,
            output.folds,
            output.baselines,
            strict=True,
        )
    ):
        step = step_of(path)
        at_checkpoint(params.model, step)
        features = read_features(path, layers)
        given = (responses, stimuli, ceiling, settings, device)
        ladders = Ladders(baselines, untrained=step > 0)
        known = [Beside(controls)] if controls else []
        scores, folds = encode_checkpoint(features, *given, together(ladders, *known))
        place = Place(params.model, step, snakemake.wildcards.dataset)
        origin = derived(own, [*measured, path])
        beside = derived(origin, [*inputs.nuisances, *([inputs.untrained] * bool(untrained))])
        for kind, table, file, record in zip(
            ("encoding", "folds", "baselines"),
            (scores, folds, ladders.table()),
            files,
            (origin, origin, beside),
            strict=True,
        ):
            write_table(table.assign(**place.columns), file, kind, record)
        for one in known:
            write_features(one.r, output.controls[index], derived(origin, inputs.controls))
