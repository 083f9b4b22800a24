"""Ask which competence the alignment of every region follows."""

from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.competence.question import answers, half_times, lags
from geomod.competence.shares import families, of_own_range
from geomod.curves.curves import gather
from geomod.curves.settings import Settings
from geomod.curves.sound import sound

with job(snakemake.log[0], snakemake.threads):
    inputs, params, output = snakemake.input, snakemake.params, snakemake.output
    settings, checkpoints = Settings(**params.settings), read_table(inputs.checkpoints)
    competence = sound(read_table(inputs.competence), checkpoints)
    retaken = next(iter(inputs.retaken), None)
    curves = gather(
        sound(read_table(inputs.geometry), checkpoints),
        sound(read_table(inputs.encoding), checkpoints),
        competence=families(competence, read_table(inputs.tokens)),
        retaken=read_table(retaken) if retaken else None,
        variants=params.headline,
    )
    own_range = of_own_range(competence)
    courses, times = half_times(curves, settings, own_range=own_range, seed=params.seed)
    tables = {
        "competence_lags": lags(times, settings),
        "competence_answers": answers(courses, times, settings, seed=params.seed),
    }
    origin = derived(params.provenance, snakemake.input)
    for name, table in tables.items():
        told = table.assign(dataset=snakemake.wildcards.dataset)
        write_table(told, output[name], name, origin)
