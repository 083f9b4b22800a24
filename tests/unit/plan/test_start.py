"""A start of the workflow, and of each of its jobs, is paid for again and again: it stays light."""

import re
import subprocess
import sys
from pathlib import Path

HEAVY = {"scipy", "sklearn", "statsmodels", "torch", "transformers", "matplotlib", "seaborn"}


def test_to_plan_brings_no_fits_no_models_and_no_plots(root: Path) -> None:
    rules = (root / "workflow/rules/common.smk").read_text(encoding="utf-8")
    imports = re.findall(r"^from geomod.*?(?:\([^)]*\)|$)", rules, re.MULTILINE | re.DOTALL)
    assert any("report.gallery" in line for line in imports)
    program = "\n".join([*imports, "import sys; print(*sys.modules)"])
    brought = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(root / "workflow")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not HEAVY & set(brought)
