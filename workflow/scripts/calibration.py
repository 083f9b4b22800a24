"""Simulate sweeps on this grid, and count how often each test rejects what is not there."""

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.competence.shares import families
from geomod.curves.curves import gather
from geomod.curves.settings import Settings
from geomod.curves.sound import sound
from geomod.scrutiny.calibration import calibrate

with job(snakemake.log[0], snakemake.threads):
    inputs, params, output = snakemake.input, snakemake.params, snakemake.output
    tokens, checkpoints = read_table(inputs.tokens), read_table(inputs.checkpoints)
    competence = next(iter(inputs.competence), None)
    curves = gather(
        sound(read_table(inputs.geometry), checkpoints),
        sound(read_table(inputs.encoding), checkpoints),
        tokens[["model", "parameters"]].drop_duplicates(),
        competence=families(sound(read_table(competence), checkpoints), tokens)
        if competence
        else None,
        variants=params.headline,
    )
    table = calibrate(
        curves,
        settings=Settings(**params.settings),
        seed=params.seed,
        draws=params.draws,
        jobs=snakemake.threads,
    )
    origin = derived(params.provenance, snakemake.input)
    write_table(table.assign(dataset=snakemake.wildcards.dataset), output[0], "calibration", origin)
