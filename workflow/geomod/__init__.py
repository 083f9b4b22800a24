"""The science of geomod: typed, pure functions on arrays and tables, with no Snakemake in them."""

from geomod.base.shipped import version

__version__ = version()
