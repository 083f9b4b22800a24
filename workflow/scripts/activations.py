"""One forward pass a checkpoint: pooled features, token Grams, surprisal."""

from pathlib import Path

from geomod.checkpoints import open_checkpoints
from geomod.devices import pick
from geomod.forward import read
from geomod.jobs import job
from geomod.listings import source_of
from geomod.models import load_model, parameters_of
from geomod.provenance import of_checkpoint
from geomod.reading import Settings, load_readings
from geomod.sentences import Sentences
from geomod.tables import read_table
from geomod.trajectory import sketch, write_sketch

with job(snakemake.log[0], snakemake.threads):
    inputs, params, limits = snakemake.input, snakemake.params, snakemake.resources
    stimuli, settings = read_table(inputs.stimuli), Settings(**params.features)
    own = [kind for path in inputs.plugins for kind in load_readings(path).values()]
    readings = [kind(stimuli, settings) for kind in (Sentences, *own)]
    device = pick(params.device)
    source = source_of(**params.source)
    checkpoints = open_checkpoints(
        [(source, step) for step in params.steps],
        workdir=params.store,
        max_disk_gb=limits.store_mb / 1000,
        downloads=limits.downloads,
        listing=next(iter(inputs.listing), None),
    )
    for checkpoint, sketches in zip(checkpoints, snakemake.output.sketches, strict=True):
        model, tokenizer = load_model(
            checkpoint.folder,
            tokenizer=checkpoint.tokenizer_folder,
            device=device,
            dtype=params.dtype,
            spread=params.spread,
        )
        write_sketch(sketch(parameters_of(model)), sketches)
        read(model, tokenizer, readings, blocks=params.blocks)
        place = {
            "model": checkpoint.model,
            "step": checkpoint.step,
            "parameters": model.num_parameters(),
        }
        provenance = {**params.provenance, **of_checkpoint(checkpoint)}
        for reading in readings:
            reading.write(Path(sketches).parent, place, provenance)
        del model  # or the next would be loaded beside it
