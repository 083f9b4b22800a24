"""What a checkpoint knows of language, beside how it looks to the brain.

Open `task_set.py` first: what a set of tasks wants read, and what it makes of the answer; then
`pairs.py`, which is one. `geomod.models.scored` has a model read them. Which knowledge the
alignment with the brain follows: `question.py` first, then `half_times.py`.
"""

from typing import TYPE_CHECKING

from geomod.base.handing_on import hand_on

if TYPE_CHECKING:
    from geomod.competence.half_times import half_time as half_time
    from geomod.competence.published import Published as Published
    from geomod.competence.published import read_published as read_published
    from geomod.competence.question import answers as answers
    from geomod.competence.question import lags as lags
    from geomod.competence.reading import read_task_set as read_task_set
    from geomod.competence.scores import gather as gather
    from geomod.competence.shares import families as families
    from geomod.competence.source import Source as Source
    from geomod.competence.task_set import TaskSet as TaskSet

__getattr__ = hand_on(
    __name__,
    {
        "Published": ".published",
        "Source": ".source",
        "TaskSet": ".task_set",
        "answers": ".question",
        "families": ".shares",
        "gather": ".scores",
        "half_time": ".half_times",
        "lags": ".question",
        "read_published": ".published",
        "read_task_set": ".reading",
    },
)
