"""Task sets by their kind."""

from collections.abc import Iterable

from geomod.base.errors import InputError
from geomod.competence.choices import Choices
from geomod.competence.pairs import Pairs
from geomod.competence.reading_times import ReadingTimes
from geomod.competence.source import Source
from geomod.competence.syntaxgym import SyntaxGym
from geomod.competence.task_set import TaskSet

KINDS: dict[str, type[TaskSet]] = {
    "pairs": Pairs,
    "choices": Choices,
    "syntaxgym": SyntaxGym,
    "reading_times": ReadingTimes,
}


def read_task_set(source: Source) -> TaskSet:
    """The task set that the files of `source` hold; what is wrong in them is an error."""
    return KINDS[source.kind](source)


def check_names(task_sets: Iterable[TaskSet]) -> None:
    """An error where two task sets have a task of one name, which no table could tell apart."""
    owner: dict[str, str] = {}
    for task_set in task_sets:
        for task in task_set.names:
            if owner.setdefault(task, task_set.source.name) != task_set.source.name:
                raise InputError(
                    f"`competence.{owner[task]}` and `competence.{task_set.source.name}` both have "
                    f"a task {task!r}; rename it in one of the two"
                )
