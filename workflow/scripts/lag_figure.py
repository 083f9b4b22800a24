"""Draw at which lag every region follows the word rate."""

from geomod.base.files import whole
from geomod.base.jobs import job
from geomod.base.seals import seal_svg
from geomod.base.tables import read_table
from geomod.report.lags import draw_lags
from geomod.stories.lags import PLAUSIBLE

with job(snakemake.log[0], snakemake.threads), whole(snakemake.output[0]) as path:
    lags, verdicts = map(read_table, (snakemake.input.lags, snakemake.input.lag_check))
    draw_lags(lags, verdicts, path, PLAUSIBLE)
    seal_svg(path, snakemake.output[0])
