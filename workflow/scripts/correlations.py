"""Correlate geometry and score given training progress, as in the paper."""

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.competence.shares import families
from geomod.coupling.paper import correlations
from geomod.curves.curves import gather
from geomod.curves.settings import Settings
from geomod.curves.sound import sound

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    checkpoints = read_table(inputs.checkpoints)
    competence = next(iter(inputs.competence), None)
    curves = gather(
        sound(read_table(inputs.geometry), checkpoints),
        sound(read_table(inputs.encoding), checkpoints),
        competence=families(sound(read_table(competence), checkpoints), read_table(inputs.tokens))
        if competence
        else None,
        variants=params.headline,
    )
    table = correlations(curves, Settings(**params.settings))
    origin = derived(params.provenance, snakemake.input)
    write_table(
        table.assign(dataset=snakemake.wildcards.dataset),
        snakemake.output[0],
        "correlations",
        origin,
    )
