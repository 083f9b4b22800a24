"""Say of every control what the claims say, and whether it came back."""

from geomod.base.jobs import job
from geomod.base.layers import read_features
from geomod.base.provenance import derived
from geomod.base.seals import write_json
from geomod.base.tables import read_table, write_table
from geomod.curves.curves import gather
from geomod.curves.settings import Settings
from geomod.curves.sound import sound
from geomod.scrutiny.comeback import recovered, recovered_profiles, sentences_on, together
from geomod.scrutiny.noise import noise_of, regions_of

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    tokens, checkpoints = read_table(inputs.tokens), read_table(inputs.checkpoints)
    ceiling, settings = read_table(inputs.ceiling), Settings(**params.settings)
    curves = gather(
        sound(read_table(inputs.geometry), checkpoints),
        sound(read_table(inputs.encoding), checkpoints),
        tokens[["model", "parameters"]].drop_duplicates(),
        variants=params.headline,
    )
    fits: dict[tuple[str, int], dict] = {}
    for (model, step), path in zip(params.places, inputs.fits, strict=True):
        fits.setdefault((model, step), {}).update(read_features(path))
    noise = noise_of(ceiling, regions_of(ceiling["region"].unique(), settings), params.ceiling)
    known = (curves, read_table(inputs.modules))
    told = (settings, params.seed)
    table = together(
        recovered(read_table(inputs.targets), fits, *known, noise, *told),
        recovered_profiles(params.kinds, params.draws, *known, *told),
    )
    files = [inputs.targets, *inputs.fits, inputs.geometry, inputs.modules]
    origin = derived(params.provenance, files)
    said = {str(claim): line for claim, line in sentences_on(table)}
    write_json(said, snakemake.output.said)
    table = table.assign(dataset=snakemake.wildcards.dataset)
    write_table(table, snakemake.output.table, "controls", origin)
