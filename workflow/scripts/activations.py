"""One forward pass a checkpoint: pooled features, token Grams, surprisal."""

from geomod.base.devices import pick
from geomod.base.files import step_of
from geomod.base.jobs import job
from geomod.base.provenance import derived, of_checkpoint
from geomod.base.tables import read_table, write_table
from geomod.checkpoints.continuity import sketch, write_sketch
from geomod.checkpoints.listings import CheckpointSource
from geomod.checkpoints.opening import open_checkpoints
from geomod.models.activations import extract, write_activations
from geomod.models.loading import load_model, vocabulary_of

with job(snakemake.log[0], snakemake.threads):
    params, output, limits = snakemake.params, snakemake.output, snakemake.resources
    stimuli = read_table(snakemake.input.stimuli)
    behind = derived(params.provenance, snakemake.input)
    device = pick(params.device)
    source = CheckpointSource(**params.source)
    checkpoints = open_checkpoints(
        [(source, step_of(path)) for path in output.tokens],
        workdir=params.store,
        max_disk_gb=limits.store_mb / 1000,
        downloads=limits.downloads,
        listing=next(iter(snakemake.input.listing), None),
    )
    for checkpoint, features, grams, tokens, sketches in zip(
        checkpoints, output.features, output.grams, output.tokens, output.sketches, strict=True
    ):
        model, tokenizer = load_model(
            checkpoint.folder, tokenizer=checkpoint.tokenizer_folder, device=device
        )
        weights = ((key, w.detach().cpu().numpy()) for key, w in model.named_parameters())
        found = extract(model, tokenizer, stimuli["sentence"], **params.features)
        origin = {**behind, **of_checkpoint(checkpoint)}
        write_sketch(sketch(weights), sketches, origin)
        write_activations(found, features, grams, origin)
        table = found.tokens.assign(
            item_id=stimuli["item_id"],
            model=checkpoint.model,
            step=checkpoint.step,
            parameters=model.num_parameters(),
            vocabulary=vocabulary_of(model),
        )
        write_table(table, tokens, "tokens", origin)
        del model  # or the next would be loaded beside it
