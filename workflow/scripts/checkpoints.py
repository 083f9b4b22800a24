"""Which checkpoints are what their names say, from their listings."""

import pandas as pd

from geomod.base.files import whole
from geomod.base.jobs import job
from geomod.base.provenance import derived
from geomod.base.tables import write_table
from geomod.checkpoints.audit import audit, expected_sizes, read_known_bad, summary
from geomod.checkpoints.listings import read_listing, source_of, take_listing

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    known_bad, listings = read_known_bad(inputs.known_bad), iter(inputs.listings)
    asked, everything = [], []
    for model, steps in params.models:
        source = source_of(**model)
        is_hub = source.provider == "hub"
        listing = read_listing(next(listings)) if is_hub else take_listing(source, steps)
        sizes = expected_sizes(inputs.suites, model["suite"].get("repo", ""), model["size"])
        listed = {found.step for found in listing if found.step is not None}
        asked.append(audit(source, listing, steps, known_bad, sizes))
        everything.append(audit(source, listing, sorted(listed | set(steps)), known_bad, sizes))
    origin = derived(params.provenance, inputs.weights)
    write_table(pd.concat(asked), snakemake.output.table, "checkpoints", origin)
    with whole(snakemake.output.summary) as temporary:
        temporary.write_text(summary(pd.concat(everything)), encoding="utf-8")
