"""Which of two groups of regions aligns earlier, for every contrast that the config names."""

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.claims.claim import Evidence
from geomod.claims.contrasts import contrasts
from geomod.curves.curves import gather
from geomod.curves.settings import Settings
from geomod.curves.sound import sound

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    checkpoints = read_table(inputs.checkpoints)
    given = (sound(read_table(path), checkpoints) for path in (inputs.geometry, inputs.encoding))
    curves = gather(*given, variants=params.headline)
    calibration = next(map(read_table, inputs.calibration), None)
    evidence = Evidence(curves, Settings(**params.settings), params.seed)
    table = contrasts(evidence, params.contrasts, calibration)
    origin = derived(params.provenance, snakemake.input)
    table = table.assign(dataset=snakemake.wildcards.dataset)
    write_table(table, snakemake.output[0], "contrasts", origin)
