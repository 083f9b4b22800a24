"""One forward pass a checkpoint: pooled features, token Grams, surprisal."""

from pathlib import Path

from geomod.base.devices import pick
from geomod.base.files import step_of
from geomod.base.jobs import job
from geomod.base.provenance import derived, of_checkpoint
from geomod.base.tables import read_table
from geomod.checkpoints.continuity import sketch, write_sketch
from geomod.checkpoints.listings import CheckpointSource
from geomod.checkpoints.opening import open_checkpoints
from geomod.models.forward import read
from geomod.models.loading import load_model, parameters_of, vocabulary_of
from geomod.models.reading import Settings, load_readings, reading_of

with job(snakemake.log[0], snakemake.threads):
    inputs, params, limits = snakemake.input, snakemake.params, snakemake.resources
    stimuli = read_table(inputs.stimuli)
    settings = Settings(**params.features, long=params.long)
    own = [kind for path in inputs.plugins for kind in load_readings(path).values()]
    readings = [kind(stimuli, settings) for kind in (reading_of(params.reading), *own)]
    behind = derived(params.provenance, inputs)
    device = pick(params.device)
    source = CheckpointSource(**params.source)
    sketches = snakemake.output.sketches
    checkpoints = open_checkpoints(
        [(source, step_of(path)) for path in sketches],
        workdir=params.store,
        max_disk_gb=limits.store_mb / 1000,
        downloads=limits.downloads,
        listing=next(iter(inputs.listing), None),
    )
    for checkpoint, path in zip(checkpoints, sketches, strict=True):
        model, tokenizer = load_model(
            checkpoint.folder,
            tokenizer=checkpoint.tokenizer_folder,
            device=device,
            dtype=params.dtype,
            spread=params.spread,
        )
        origin = {**behind, **of_checkpoint(checkpoint)}
        write_sketch(sketch(parameters_of(model)), path, origin)
        read(model, tokenizer, readings, blocks=params.blocks)
        place = {
            "model": checkpoint.model,
            "step": checkpoint.step,
            "parameters": model.num_parameters(),
            "vocabulary": vocabulary_of(model),
        }
        for reading in readings:
            reading.write(Path(path).parent, place, origin)
        del model  # or the next would be loaded beside it
