# The package that rules and scripts import: the one beside them or, where they come out of a git
# repository and nothing lies beside them, an installed one of the same version.

import os
import sys
import tomllib

from snakemake.sourcecache import LocalGitFile
from snakemake_interface_executor_plugins.settings import DeploymentMethod

SOURCE = workflow.current_basedir
BY_PATH = os.path.isdir(str(SOURCE))
WORKFLOW = os.path.dirname(str(SOURCE))


def wanted():
    """What pip is to install, of the very commit, branch or tag that the rules come from."""
    if BY_PATH:
        return f"{os.path.dirname(WORKFLOW)}[workflow]"
    if isinstance(SOURCE, LocalGitFile):
        repository = f"file://{os.path.abspath(SOURCE.repo_path)}"
    else:
        repository = f"https://{SOURCE.host}/{SOURCE.repo}"
    return f"geomod[workflow] @ git+{repository}@{SOURCE.ref}"


def refuse(why):
    """End with one sentence, which is the last on the screen."""
    sys.exit(f"\n{why}")


try:
    import geomod
    from geomod.base.jobs import import_first
    from geomod.plan import reading
except ModuleNotFoundError as error:
    refuse(f'The package is missing ({error}): pip install "{wanted()}"')

if isinstance(SOURCE, LocalGitFile):
    # To the place of a rule Snakemake 9.27 joins that of its script as an object of its own, which
    # every kind of source takes but this one.
    join = LocalGitFile.join
    LocalGitFile.join = lambda source, path: join(source, str(path))

if BY_PATH:
    if not os.path.samefile(os.path.dirname(geomod.__file__), f"{WORKFLOW}/geomod"):
        refuse(
            f"{geomod.__file__} was imported before this workflow, which brings its own "
            f"package; import geomod below the module, or set PYTHONPATH={WORKFLOW}"
        )
    import_first(WORKFLOW)  # jobs too, whichever geomod is installed in their Python
else:
    with open(workflow.source_path("../../pyproject.toml"), "rb") as lines:
        VERSION = tomllib.load(lines)["project"]["version"]
    if geomod.__version__ != VERSION:
        refuse(
            f"This workflow is geomod {VERSION}, and the package that is installed in "
            f"{os.path.dirname(geomod.__file__)} is geomod {geomod.__version__}: "
            f'pip install "{wanted()}"'
        )
    if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
        refuse(
            "An environment that Snakemake makes with conda has no geomod for jobs to import: "
            "leave `--sdm conda` out, or take the workflow by a path, where it brings its own."
        )
