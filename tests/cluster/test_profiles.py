"""Every profile that is shipped can be planned with, where its plugins are installed."""

import importlib.util
import re

import pytest

from tests.workflow.conftest import Workflow

PLUGINS = {
    "gpu": [],
    "slurm": ["snakemake_executor_plugin_slurm"],
    "kubernetes": ["snakemake_executor_plugin_kubernetes", "snakemake_storage_plugin_fs"],
}
# A plan asks the store which files are there: a folder in its place.
IN_A_FOLDER = ("--default-storage-provider", "fs", "--default-storage-prefix", "store")


@pytest.mark.parametrize("profile", PLUGINS)
def test_a_profile_plans_the_sweep(
    fresh: Workflow, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = [name for name in PLUGINS[profile] if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{missing[0].replace('_', '-')} is not installed")
    for key in ("ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.setenv(f"SNAKEMAKE_STORAGE_S3_{key}", "x")
    store = IN_A_FOLDER if profile == "kubernetes" else ()
    plan = fresh.run("-n", "--profile", f"profiles/{profile}", *store).stdout
    [asked] = re.findall(r"^rule activations_toy_0:.*?^    resources: (.*?)$", plan, re.M | re.S)[
        :1
    ]
    assert re.search(r"mem_mb=\d+", asked)
    assert ("gpu=1, gpu_here=1" in asked) == (profile == "gpu")
    assert "report" in plan
