"""Do the tensors of each checkpoint lie between those of its neighbours? The last word on each."""

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.checkpoints.audit import with_continuity
from geomod.checkpoints.continuity import continuity_of_models

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    audited = read_table(inputs.checkpoints)
    checkpoints = [tuple(checkpoint) for checkpoint in params.checkpoints]
    sketches = dict(zip(checkpoints, inputs.sketches, strict=True))
    measured = continuity_of_models(audited, sketches)
    verdicts = with_continuity(audited, measured)
    verdicts = verdicts[["model", "step", "status", "duplicate_of", "detail"]]
    ways = measured[["model", "step", "distance_previous", "distance_next", "detour"]]
    table = verdicts.merge(ways, how="left", on=["model", "step"])
    origin = derived(params.provenance, snakemake.input)
    write_table(table, snakemake.output[0], "continuity", origin)
