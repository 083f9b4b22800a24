"""One forward pass a checkpoint: pooled features, token Grams, surprisal; ln p of task sets."""

from pathlib import Path

from geomod.base.devices import name_of, pick
from geomod.base.files import checkpoint_folder, step_of
from geomod.base.jobs import at_checkpoint, job
from geomod.base.provenance import derived, of_checkpoint
from geomod.checkpoints.continuity import sketch, write_sketch
from geomod.checkpoints.listings import CheckpointSource
from geomod.checkpoints.opening import open_checkpoints
from geomod.competence.reading import read_task_set
from geomod.competence.source import Source
from geomod.models.forward import read
from geomod.models.loading import load_model, parameters_of, vocabulary_of
from geomod.models.reading import load_readings, make_readings
from geomod.models.scored import Scored
from geomod.plan.place import Place

with job(snakemake.log[0], snakemake.threads):
    inputs, params, limits = snakemake.input, snakemake.params, snakemake.resources
    for path in inputs.plugins:
        load_readings(path)
    folders_of_data = {Path(path).parent.name: Path(path).parent for path in inputs.stimuli}
    wanted = {Path(path).parts[-2:] for path in snakemake.output.readings}
    readings = list(make_readings(params.readings, params.features, folders_of_data, wanted))
    scored = [
        Scored(read_task_set(Source.of(how)), params.bos, chat=params.chat_template)
        for name, how in params.task_sets.items()
        if name in {Path(path).stem for path in snakemake.output.scored}
    ]
    device = pick(params.device)
    behind = derived({**params.provenance, "device": name_of(device)}, inputs)
    source = CheckpointSource(**params.source)
    folders = {step_of(path): checkpoint_folder(path) for path in snakemake.output}
    sketches = {step_of(path): path for path in snakemake.output.sketches}
    checkpoints = open_checkpoints(
        [(source, step) for step in folders],
        workdir=params.store,
        max_disk_gb=limits.store_mb / 1000,
        downloads=limits.downloads,
        listing=next(iter(inputs.listing), None),
    )
    for checkpoint in checkpoints:
        at_checkpoint(checkpoint.model, checkpoint.step)
        model, tokenizer = load_model(
            checkpoint.folder,
            tokenizer=checkpoint.tokenizer_folder,
            device=device,
            dtype=params.dtype,
            spread=params.spread,
        )
        origin = {**behind, **of_checkpoint(checkpoint)}
        if checkpoint.step in sketches:
            write_sketch(sketch(parameters_of(model)), sketches[checkpoint.step], origin)
        every = [*(reading for _, reading in readings), *scored]
        read(model, tokenizer, every, blocks=params.blocks)
        known = {"parameters": model.num_parameters(), "vocabulary": vocabulary_of(model)}
        for name, reading in readings:
            columns = Place(checkpoint.model, checkpoint.step, name).columns
            reading.write(folders[checkpoint.step] / name, {**columns, **known}, origin)
        for texts in scored:
            columns = Place(checkpoint.model, checkpoint.step).columns
            texts.write(folders[checkpoint.step], columns, origin)
        del model  # or the next would be loaded beside it
