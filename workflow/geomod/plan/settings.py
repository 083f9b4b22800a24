"""What the wings are told, made from the config: objects of their own, so that none knows of it."""

from dataclasses import asdict, replace
from typing import Any, cast

from geomod.base.errors import InputError
from geomod.checkpoints.listings import CheckpointSource
from geomod.competence.published import Published
from geomod.competence.source import Kind, Source, find_files
from geomod.encoding.settings import Cut, Settings
from geomod.plan.config.competence import SCORED, TaskSet
from geomod.plan.config.suites import FolderSuite, HubSuite
from geomod.plan.config.whole import Config
from geomod.plan.grid import Model
from geomod.toy.tasks import TOY_TASKS

PYTHIA = "EleutherAI/pythia-"


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


def task_sources(config: Config, world: str) -> dict[str, Source]:
    """What is to be scored, with every file by its name: one more of them is another task set.

    Tasks of the made-up language will lie in the folder `world`.
    """
    found = {}
    for name, entry in config.competence.items():
        if entry.simulate:
            found[name] = _made_up(name, entry, world, config.seed)
        elif entry.kind in SCORED:
            own = entry.model_dump(include={"families", "ceiling", "columns"})
            found[name] = Source(
                name,
                cast(Kind, entry.kind),
                _files_of(name, entry),
                family=entry.family or "",
                per_task=entry.per_task or 0,
                seed=config.seed,
                **own,
            )
    return found


def _made_up(name: str, entry: TaskSet, world: str, seed: int) -> Source:
    """A task set of the made-up language, of which is known what the best answers come to."""
    made = TOY_TASKS[str(entry.simulate)]
    return Source(
        name,
        "reading_times" if entry.reader else "pairs",
        [f"{world}/{entry.simulate}.csv"],
        family=entry.family or made.family,
        families=[*made.families, *entry.families],
        per_task=entry.per_task or 0,
        seed=seed,
        ceiling=made.ceiling,
    )


def how_scored(source: Source) -> dict[str, Any]:
    """How models read a task set: all that its texts hang on, so that another draw is another load,
    and another ceiling is not."""
    about_scores = ("family", "ceiling")
    told = {key: value for key, value in asdict(source).items() if key not in about_scores}
    return {"reading": "scored", **told}


def published_sources(config: Config) -> dict[str, Published]:
    """Evaluations that others made."""
    return {
        name: Published(name, _files_of(name, entry), entry.models, entry.tasks)
        for name, entry in config.competence.items()
        if entry.published
    }


def _files_of(name: str, entry: TaskSet) -> list[str]:
    """The files of an entry of `competence`; none is an error."""
    try:
        return [path.as_posix() for path in find_files(entry.files)]
    except InputError as error:
        raise InputError(f"`competence.{name}.{entry.kind}`: {error}") from None


def bos_of(config: Config, suite: str) -> str:
    """The token that stands before every text that models of a suite score; empty for none."""
    section = config.suites[suite]
    given = getattr(section, "bos", None)
    if given is None and isinstance(section, HubSuite) and section.repo.startswith(PYTHIA):
        return "<|endoftext|>"  # its documents were joined by this token
    return given or ""


def features_of(config: Config, suite: str) -> dict[str, Any]:
    """How models of a suite read the texts of datasets: what `models.reading.Settings` is made of,
    but for what is each dataset's own."""
    told = config.features.model_dump(include={"pooling", "bos", "first_token", "last_layer"})
    return {**told, "bos": "chat"} if is_chat(config, suite) else told


def is_chat(config: Config, suite: str) -> bool:
    """Whether a suite's models read every text in the chat template of their tokenizer."""
    return getattr(config.suites[suite], "chat_template", False)


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
        trsa=chosen.trsa,
        delays=tuple(story.delays) if story else (),
        gap=story.gap if story else 0,
    )


def voxel_settings(config: Config) -> Settings:
    """The same for single voxels, which have no null and are held against no baseline."""
    return replace(encoding_settings(config, config.mapped), permutations=0, baselines=())


def grouping(config: Config, dataset: str) -> Cut | None:
    """What decides whether groups of sentences allow the folds; None without groups, and where
    folds are chosen."""
    chosen = cut_of(config, dataset)
    return None if chosen.group_by is None or config.each_dataset[dataset].splits else chosen


def cut_of(config: Config, dataset: str) -> Cut:
    """How the rows of a dataset are cut into folds, where no column of them says."""
    chosen = encoding_settings(config, dataset)
    return Cut(chosen.folds, chosen.inner_folds, chosen.group_by, chosen.seed)
