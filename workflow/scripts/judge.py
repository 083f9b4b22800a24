"""Answer the claims."""

from geomod.base.jobs import job
from geomod.base.provenance import derived, in_short
from geomod.base.seals import read_json, write_json
from geomod.base.tables import read_table
from geomod.claims.judge import claims, planted_claims
from geomod.competence.shares import families
from geomod.curves.settings import Settings
from geomod.curves.sound import sound
from geomod.scrutiny.recovery import planted_claims as planted_of_competence

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    tokens, checkpoints = read_table(inputs.tokens), read_table(inputs.checkpoints)
    competence, retaken = next(iter(inputs.competence), None), next(iter(inputs.retaken), None)
    truth, calibration = next(iter(inputs.truth), None), next(iter(inputs.calibration), None)
    planted = planted_claims(read_json(truth)) if truth else None
    for path in inputs.recovery:
        planted |= planted_of_competence(read_table(path))
    answers = claims(
        sound(read_table(inputs.geometry), checkpoints),
        sound(read_table(inputs.encoding), checkpoints),
        read_table(inputs.modules),
        read_table(inputs.emergence),
        tokens[["model", "parameters"]].drop_duplicates(),
        settings=Settings(**params.settings),
        seed=params.seed,
        variants=params.headline,
        folds=read_table(inputs.folds),
        covariates=tokens[["model", "step", "surprisal"]],
        competence=families(sound(read_table(competence), checkpoints), tokens)
        if competence
        else None,
        retaken=read_table(retaken) if retaken else None,
        calibration=read_table(calibration) if calibration else None,
        seeds={model: (suite, number) for model, (suite, number) in params.seeds.items()},
        planted=planted,
    )
    origin = in_short(derived(params.provenance, snakemake.input), inputs.encoding)
    told = {"dataset": snakemake.wildcards.dataset}
    entries = [{**told, **answer, "provenance": origin} for answer in answers]
    write_json(entries, snakemake.output[0])
