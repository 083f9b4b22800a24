"""What every wing stands on: files that appear whole, tables with a key, jobs, devices, errors.

Start with `tables.py`: every number that geomod keeps passes through it.
"""
