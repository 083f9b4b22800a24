"""Fit encoding models to every voxel of one participant; write each layer's scores as a map."""

from geomod.base.devices import pick
from geomod.base.jobs import job
from geomod.base.layers import read_features
from geomod.base.provenance import derived
from geomod.base.tables import read_table
from geomod.brain.responses import read_voxels
from geomod.brain.voxel_maps import write_scores
from geomod.encoding.scores import encode_voxels

with job(snakemake.log[0], snakemake.threads):
    params, names = snakemake.params, snakemake.wildcards
    stimuli = read_table(snakemake.input.stimuli)
    voxels = read_voxels(params.dataset, stimuli, names.participant)
    features = read_features(snakemake.input.features, params.layers)
    scores = encode_voxels(features, voxels, stimuli, params.encoding, pick(params.device))
    origin = derived(params.provenance, [snakemake.input.stimuli, snakemake.input.features])
    for layer, path in zip(params.layers, snakemake.output, strict=True):
        row = {"model": names.model, "step": int(names.step), "layer": layer}
        row |= {"participant": names.participant}
        write_scores(scores[layer], voxels, params.dataset, path, row, origin)
