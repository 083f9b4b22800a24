"""The table of all tasks: two scores of one task, and tasks that tell nothing."""

import numpy as np
import pandas as pd
import pytest

from geomod.base.errors import InputError
from geomod.base.tables import read_table, write_table
from geomod.competence.reading import check_names, read_task_set
from geomod.competence.scores import gather
from geomod.competence.source import Source


def rows(task, scores, chance=0.5, ceiling=1.0, source="scored"):
    return pd.DataFrame(
        {
            "model": "m", "step": range(len(scores)), "task": task, "family": "formal",
            "score": scores, "chance": chance, "ceiling": ceiling, "se": 0.01, "n": 100,
            "uniform": 0.5, "alternative": np.nan, "left_out": 0, "source": source,
        }
    )  # fmt: skip


def test_tasks_that_never_rise_are_marked():
    table = gather(
        [
            rows("grammar", [0.5, 0.7, 0.56]),
            rows("winogrande", [0.5, 0.49, 0.54]),
            rows("arc_challenge", [0.18, 0.2, 0.24], chance=0.25),
            rows("topics", [0.5, 0.54, 0.55], ceiling=0.96),
            rows("wsc", [0.365, 0.635, 0.635]),
            rows("times", [-0.01, 0.022, 0.001], chance=0.0, ceiling=np.nan),
            rows("shuffled times", [-0.01, -0.002, 0.019], chance=0.0, ceiling=np.nan),
        ]
    )
    floor = table.groupby("task")["floor"].agg(["min", "max"])
    assert (floor["min"] == floor["max"]).all()
    assert set(floor.index[floor["max"]]) == {
        "winogrande", "arc_challenge", "wsc", "shuffled times",
    }  # fmt: skip


def test_another_model_rises_for_itself():
    large = rows("winogrande", [0.5, 0.6, 0.7]).assign(model="large")
    table = gather([rows("winogrande", [0.5, 0.5, 0.5]), large])
    assert table.groupby("model")["floor"].all().to_dict() == {"m": True, "large": False}


def test_a_task_has_one_score():
    published = rows("arc_easy", [0.25], source="published v1")
    with pytest.raises(InputError, match=r"'arc_easy' of m, step 0, .*scored and published v1"):
        gather([rows("arc_easy", [0.3, 0.4]), published])


def test_the_table_is_as_written_down(tmp_path):
    table = gather([rows("a", [0.5]), rows("b", [0.6])])
    write_table(table, tmp_path / "competence.parquet", "competence")
    assert read_table(tmp_path / "competence.parquet")["task"].tolist() == ["a", "b"]


def test_two_task_sets_have_no_task_of_one_name(tmp_path):
    (tmp_path / "a.csv").write_text("item_id,task,good,bad\n1,x,a b,a c\n")
    sets = [read_task_set(Source(n, "pairs", [str(tmp_path / "a.csv")])) for n in ("one", "two")]
    check_names(sets[:1])
    with pytest.raises(InputError, match=r"`competence.one` and `competence.two` both have a task"):
        check_names(sets)
