"""What a wheel holds beyond the package: the files that geomod.base.shipped finds (pyproject.toml
has all else)."""

from setuptools import find_packages, setup

SHIPPED = ["workflow/schemas", "workflow/report", "resources"]
KINDS = ["*.yaml", "*.json", "*.rst", "*.j2", "*.js", "*.css", "*.tsv"]
FOLDERS = {f"geomod._shipped.{folder.replace('/', '.')}": folder for folder in SHIPPED}

setup(
    packages=[*find_packages("workflow"), *FOLDERS],
    package_dir={"": "workflow", **FOLDERS},
    package_data={"geomod": ["py.typed"], "": KINDS},
)
