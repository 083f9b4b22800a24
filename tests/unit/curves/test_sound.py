"""What inference may count."""

import pandas as pd

from geomod.curves.sound import not_counted, sound

CHECKPOINTS = pd.DataFrame(
    {
        "model": ["a", "a", "a", "b"],
        "step": [0, 1, 2, 1],
        "status": ["ok", "duplicate", "off_trajectory", "ok"],
        "detail": ["", "bit-identical to step0", "a detour", ""],
    }
)


def test_only_sound_checkpoints_are_left_whatever_is_measured_of_them() -> None:
    table = pd.DataFrame(
        {
            "model": list("aaabab"),
            "step": [0, 1, 2, 1, 0, 5],
            "layer": [1, 1, 1, 1, 2, 1],
            "score": range(6),
        }
    )
    assert sound(table, CHECKPOINTS)["score"].tolist() == [0, 3, 4, 5]
    assert len(sound(table, CHECKPOINTS.query("status == 'ok'"))) == 6
    assert sound(table.iloc[:0], CHECKPOINTS).empty


def test_what_is_left_out_is_told_with_its_reason() -> None:
    assert [line.split(":")[0] for line in not_counted(CHECKPOINTS)] == ["a, step 1", "a, step 2"]
    assert "bit-identical to step0" in not_counted(CHECKPOINTS)[0]
