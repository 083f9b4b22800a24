"""What the unit tests share."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a small model of each family."""
    from tests.unit.models.small_models import save_families  # here: most tests need no torch

    root = tmp_path_factory.mktemp("models")
    save_families(root)
    return root


@pytest.fixture
def neox(folders: Path) -> tuple[Any, Any]:
    """A small model, to be changed at will, and its tokenizer."""
    from geomod.models.loading import load_model

    return load_model(folders / "gpt-neox")
