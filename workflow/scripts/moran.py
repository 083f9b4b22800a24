"""Say how clustered the voxel maps of one participant are, and write what changed since step 0 and
what voxels prefer as maps of their own."""

from itertools import product

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import write_table
from geomod.brain.map_series import changes, selectivities, series
from geomod.brain.moran import neighbours
from geomod.brain.nifti import read_voxel_maps, write_voxel_map

with job(snakemake.log[0], snakemake.threads):
    images, output, params = snakemake.input, snakemake.output, snakemake.params
    maps, positions, shape = read_voxel_maps(images)
    scores = dict(zip(product(params.steps, params.layers), maps, strict=True))
    for made, paths in ((changes(scores), output.changes), (selectivities(scores), output.prefer)):
        for values, path in zip(made.values(), paths, strict=True):
            write_voxel_map(values, positions, images[0], path)
    weights = neighbours(positions, shape)
    table = series(scores, weights, draws=params.draws, seed=params.seed)
    names = {name: snakemake.wildcards[name] for name in ("model", "participant")}
    origin = derived(params.provenance, [])
    write_table(table.assign(dataset=params.dataset, **names), output.table, "moran", origin)
