"""What the wings are told, made from the config: objects of their own, so that none knows of it."""

from dataclasses import replace

from geomod.checkpoints.listings import CheckpointSource
from geomod.encoding.settings import Cut, Settings
from geomod.plan.config.suites import FolderSuite, HubSuite
from geomod.plan.config.whole import Config
from geomod.plan.grid import Model


def source_of(config: Config, model: Model, trained: str) -> CheckpointSource:
    """Where the checkpoints of a model lie.

    `trained` is where the provider `train` puts them, with `{step}` where it goes. One tokenizer
    serves the whole suite of a hub: that of its first size (and seed).
    """
    suite = config.suites[model.suite]

    def fill(pattern: str, size: str = model.size, seed: int | None = model.seed) -> str:
        return pattern.format(size=size, seed=seed, step="{step}")

    if isinstance(suite, FolderSuite):
        path = fill(suite.path)
        return CheckpointSource("folder", model.name, path, "", suite.tokenizer or "")
    if isinstance(suite, HubSuite):
        first_seed = suite.seeds[0] if suite.seeds else None
        tokenizer = suite.tokenizer or fill(suite.repo, suite.sizes[0], first_seed)
        repo, revision = fill(suite.repo), fill(suite.revision)
        return CheckpointSource("hub", model.name, repo, revision, tokenizer)
    return CheckpointSource("train", model.name, trained, "")


def encoding_settings(config: Config, dataset: str) -> Settings:
    """What the encoding models of a dataset are told."""
    chosen, alphas = config.encoding, config.encoding.alphas
    story = config.each_dataset[dataset].story
    return Settings(
        folds=chosen.folds,
        inner_folds=chosen.inner_folds,
        group_by=config.grouped_by(dataset),
        seed=config.seed,
        penalties=(alphas.low, alphas.high, alphas.count),
        standardize=chosen.standardize,
        match_width=config.features.match_width,
        permutations=chosen.permutations,
        baselines=chosen.baselines,
        delays=tuple(story.delays) if story else (),
        gap=story.gap if story else 0,
    )


def voxel_settings(config: Config) -> Settings:
    """The same for single voxels, which have no null and are held against no baseline."""
    return replace(encoding_settings(config, config.mapped), permutations=0, baselines=())


def grouping(config: Config, dataset: str) -> Cut | None:
    """What decides whether groups of sentences allow the folds; None without groups."""
    chosen = encoding_settings(config, dataset)
    if chosen.group_by is None:
        return None
    return Cut(chosen.folds, chosen.inner_folds, chosen.group_by, chosen.seed)
