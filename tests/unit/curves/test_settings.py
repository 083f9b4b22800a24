"""One place for the settings of all tests and their defaults."""

from dataclasses import asdict

from geomod.curves.settings import Settings
from geomod.plan.config.inference import Inference


def test_a_config_that_says_nothing_gives_the_settings_defaults() -> None:
    said = Inference().told_of("any dataset")
    assert {key: tuple(v) if isinstance(v, list) else v for key, v in said.items()} == asdict(
        Settings()
    )
