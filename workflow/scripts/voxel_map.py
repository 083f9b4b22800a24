"""Fit encoding models to every voxel of one participant; write each layer's scores as a map."""

from geomod.base.devices import name_of, pick
from geomod.base.jobs import job
from geomod.base.layers import read_features
from geomod.base.provenance import derived
from geomod.base.tables import read_table
from geomod.brain.dataset import Dataset
from geomod.brain.responses import read_voxels
from geomod.brain.voxel_maps import write_scores
from geomod.encoding.groups import with_splits
from geomod.encoding.scores import encode_voxels
from geomod.encoding.settings import Settings
from geomod.plan.place import Place

with job(snakemake.log[0], snakemake.threads):
    params, names = snakemake.params, snakemake.wildcards
    place = Place(names.model, int(names.step), params.name)
    stimuli = with_splits(*map(read_table, (snakemake.input.stimuli, *snakemake.input.splits)))
    dataset = Dataset.of(params.dataset)
    voxels = read_voxels(dataset, stimuli, names.participant)
    features = read_features(snakemake.input.features, params.layers)
    settings, device = Settings(**params.encoding), pick(params.device)
    scores = encode_voxels(features, voxels, stimuli, settings, device)
    own = {**params.provenance, "device": name_of(device)}
    origin = derived(own, [snakemake.input.stimuli, snakemake.input.features])
    for layer, path in zip(params.layers, snakemake.output, strict=True):
        row = {**place.columns, "layer": layer, "participant": names.participant}
        write_scores(scores[layer], voxels, dataset, path, row, origin)
