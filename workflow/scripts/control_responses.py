"""Make responses with known answers from features of the largest model."""

import logging

from geomod.base.jobs import job
from geomod.base.layers import read_features
from geomod.base.provenance import derived
from geomod.base.tables import read_table, write_table
from geomod.base.tensors import write_tensors
from geomod.curves.settings import Settings
from geomod.encoding.controls import Controls
from geomod.scrutiny.controls import make_controls
from geomod.scrutiny.noise import noise_of, regions_of
from geomod.scrutiny.signals import contrasts_of, own_signals, parts_of

with job(snakemake.log[0], snakemake.threads):
    inputs, params, output = snakemake.input, snakemake.params, snakemake.output
    stimuli, ceiling = read_table(inputs.stimuli), read_table(inputs.ceiling)
    settings = Settings(**params.settings)
    regions = regions_of(ceiling["region"].unique(), settings)
    noise = noise_of(ceiling, regions, params.ceiling)
    controls = Controls.nothing(len(stimuli))
    if noise is None:
        logging.warning("no noise ceiling is known, so there are no controls: controls.ceiling")
    else:
        contrasts = contrasts_of(read_table(inputs.geometry), params.headline)
        features = (read_features(path) for path in (inputs.last, inputs.early))
        controls, reasons = make_controls(
            params.kinds,
            params.draws,
            parts_of(*features, contrasts, stimuli),
            noise,
            params.seed,
            settings,
            own_signals(inputs.own, stimuli) if inputs.own else None,
        )
        for kind, reason in reasons.items():
            logging.warning("no control %s: %s", kind, reason)
    origin = derived(params.provenance, [inputs.stimuli, inputs.ceiling, inputs.last, inputs.early])
    write_table(controls.targets, output.targets, "control_targets", origin)
    write_tensors(controls.columns, output.columns, origin)
