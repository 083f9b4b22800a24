"""The science of geomod: typed, pure functions on arrays and tables, with no Snakemake in them."""
