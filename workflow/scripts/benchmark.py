"""Measure how fast this machine is, for the estimate of what a sweep costs."""

from geomod.base.jobs import job
from geomod.plan.machine import measure

with job(snakemake.log[0], snakemake.threads):
    measure().write(snakemake.output[0])
