"""Many readings of one pass: each gets what it would get alone."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from geomod.base import plugins
from geomod.base.errors import InputError
from geomod.base.tables import write_table
from geomod.models import reading
from geomod.models.forward import equal_lengths, read
from geomod.models.lens import Lens
from geomod.models.loading import find_blocks, load_model
from geomod.models.passages import Passages
from geomod.models.reading import Settings, load_readings, make_readings, reading_of
from geomod.models.sentences import Sentences, extract
from tests.unit.models.small_models import DEPTH, SENTENCES


def table(sentences, groups=None):
    groups = groups or ["a"] * len(sentences)
    items = [f"s{row}" for row in range(len(sentences))]
    return pd.DataFrame({"item_id": items, "sentence": sentences, "group": groups})


def several():
    """Readings that share texts, lengths, and nothing."""
    return [
        Sentences(table(SENTENCES)),
        Sentences(table([*SENTENCES[2:5], "the dog", "dog", "it"]), Settings(pooling="mean")),
        Passages(table(["it ran", "on it", "dog", "it ran"], ["a", "a", "b", "c"])),
        Sentences(table(SENTENCES[:3]), Settings(bos="add", last_layer="normed")),
    ]


@pytest.fixture
def seen(neox):
    """The shapes [rows, tokens, width] of what passes through the model."""
    shapes = []
    find_blocks(neox[0])[0].register_forward_hook(lambda *call: shapes.append(call[-1].shape))
    return shapes


def same(one, other):
    pd.testing.assert_frame_equal(one.tokens, other.tokens)
    for layer in range(DEPTH + 1):
        assert np.array_equal(one.features[layer], other.features[layer])
        assert np.array_equal(one.grams[layer].values, other.grams[layer].values)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_readings_together_are_bit_by_bit_what_each_is_alone(neox, order):
    alone, together = several(), several()
    for one in alone:
        read(*neox, [one], batch_tokens=16)
    read(*neox, [together[place] for place in order], batch_tokens=16)
    for one, other in zip(alone, together, strict=True):
        same(one, other)


def test_what_several_readings_have_passes_once(neox, seen):
    read(*neox, [Sentences(table(SENTENCES)) for _ in range(3)])
    lengths = [len(sentence.split()) for sentence in SENTENCES]
    assert sum(rows * tokens for rows, tokens, _ in seen) == sum(lengths)


def test_a_text_that_a_reading_has_twice_passes_once(neox, seen):
    found = extract(*neox, ["the cat ran on", "it sat on it", "the cat ran on"])
    assert [tuple(shape[:2]) for shape in seen] == [(2, 4)]
    for layer in range(DEPTH + 1):
        assert np.array_equal(found.features[layer][0], found.features[layer][2])
        assert np.array_equal(found.grams[layer][0], found.grams[layer][2])


def test_the_longest_of_all_readings_come_first(neox, seen):
    first, second = ["the cat", "it sat on it"], ["a dog", "it", "a dog ran on it"]
    read(*neox, [Sentences(table(first)), Sentences(table(second))])
    assert [tuple(shape[:2]) for shape in seen] == [(1, 5), (1, 4), (1, 2), (1, 2), (1, 1)]


def test_batches_hold_equal_lengths_within_the_budget():
    found = [rows.tolist() for rows in equal_lengths([3, 5, 3, 3, 9, 5, 3], 8)]
    assert found == [[0, 2], [3, 6], [1], [5], [4]]


@pytest.fixture
def own(root, tmp_path, monkeypatch):
    """The class that docs/readings.md shows, from a file of the user's."""
    monkeypatch.setattr(reading, "READINGS", dict(reading.READINGS))
    monkeypatch.setattr(plugins, "_loaded", {})
    page = (root / "docs/readings.md").read_text(encoding="utf-8")
    (shown,) = [
        text for text in re.findall(r"```python\n(.*?)```", page, re.S) if "@reading" in text
    ]
    (tmp_path / "norms.py").write_text(shown, encoding="utf-8")
    kind = load_readings(tmp_path / "norms.py")["norms"]
    return lambda sentences: kind(table(sentences), Settings())


def test_a_reading_of_ones_own_is_one_class(neox, own, tmp_path):
    sentences, norms = Sentences(table(SENTENCES)), own(SENTENCES)
    read(*neox, [sentences, norms])
    norms.write(tmp_path, {}, {})
    assert np.array_equal(np.load(tmp_path / "norms.npy"), norms.norms)
    for layer, row in itertools.product(range(DEPTH + 1), range(len(SENTENCES))):
        expected = np.sqrt(sentences.grams[layer][row].diagonal()).mean()
        assert norms.norms[layer, row] == pytest.approx(expected, rel=1e-5)


def test_no_head_is_computed_for_readings_that_want_no_logits(neox, own):
    model, _ = neox
    heads = []
    model.get_output_embeddings().register_forward_hook(lambda *call: heads.append(call[-1].shape))
    longer = [*SENTENCES, "it ran on", "a big red dog and a cat"]
    norms, alone = own(longer), own(longer)
    read(*neox, [alone])
    assert heads == []
    read(*neox, [norms, Sentences(table(["it sat", *SENTENCES[:3]]))])
    assert np.array_equal(alone.norms, norms.norms)
    # Only for the four sentences of 6, 2, 2 and 1 tokens, although others are as long.
    assert [tuple(shape[:2]) for shape in heads] == [(1, 6), (2, 2), (1, 1)]


def test_one_object_serves_many_checkpoints(neox, folders):
    reading = Sentences(table(SENTENCES))
    read(*load_model(folders / "llama"), [reading])
    read(*neox, [reading])
    expected = Sentences(table(SENTENCES))
    read(*neox, [expected])
    same(reading, expected)


def test_no_hook_is_left_behind_even_by_an_error(neox, own, monkeypatch):
    model, _ = neox
    extract(*neox, SENTENCES, last_layer="normed")
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    norms = own(SENTENCES)
    monkeypatch.setattr(norms, "keep", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        read(*neox, [norms])
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


class TestRegistry:
    @pytest.fixture(autouse=True)
    def clean(self, monkeypatch):
        monkeypatch.setattr(reading, "READINGS", dict(reading.READINGS))
        monkeypatch.setattr(plugins, "_loaded", {})

    def test_a_file_of_the_users_adds_one(self, tmp_path):
        path = tmp_path / "mine.py"
        path.write_text(
            "from __future__ import annotations\n"
            "from dataclasses import dataclass\n"
            "from geomod.models.reading import Reading, reading\n\n"
            '@reading("mine")\n@dataclass\nclass Mine(Reading):\n'
            '    size: int = 1\n    files = ("mine.npy",)\n'
        )
        assert list(load_readings(path)) == list(load_readings(path)) == ["mine"]
        assert reading_of("mine").files == ("mine.npy",)

    @pytest.mark.parametrize("name", ["sentences", "passages"])
    def test_a_name_that_is_taken_is_refused(self, tmp_path, name):
        path = tmp_path / "mine.py"
        path.write_text(
            f"from geomod.models.reading import Reading, reading\n@reading({name!r})\n"
            "class Mine(Reading):\n    pass\n"
        )
        with pytest.raises(InputError, match=rf"mine\.py: reading {name} is registered twice"):
            load_readings(path)

    def test_a_file_without_one_is_refused(self, tmp_path):
        (tmp_path / "mine.py").write_text("x = 1\n")
        with pytest.raises(InputError, match="no class stands under `@reading`"):
            load_readings(tmp_path / "mine.py")

    def test_names_are_known(self):
        assert reading_of("sentences") is Sentences
        assert reading_of("passages") is Passages
        with pytest.raises(InputError, match=r"no reading `tale`; there are sentences, "):
            reading_of("tale")

    def test_what_is_planned_is_made_as_far_as_it_is_wanted(self, tmp_path):
        stimuli = pd.DataFrame({"item_id": ["a"], "sentence": ["it ran"], "group": ["g"]})
        sizes = {"n_words": 2, "n_characters": 6, "position": 0}
        write_table(stimuli.assign(**sizes), tmp_path / "stimuli.parquet", "stimuli")
        units = {"reading": "passages", "long": "cut"}
        planned = {
            "d": units,
            "d/lens": {"reading": "lens", "units": units},
            "d/gone": {"reading": "gone", "units": units},
        }

        def made(*files):
            wanted = {("d", file) for file in files}
            return list(make_readings(planned, {"bos": "add"}, {"d": tmp_path}, wanted))

        ((dataset, lens),) = made("lens.parquet")
        assert (dataset, type(lens), type(lens.units)) == ("d", Lens, Passages)
        assert lens.units.settings == Settings(bos="add", long="cut")
        assert [type(own) for _, own in made("lens.parquet", *Passages.files)] == [Passages, Lens]
        assert made() == []

    def test_planning_does_not_wait_for_torch(self, root: Path):
        code = "import sys, geomod.models.passages, geomod.plan.config\n"
        code += "sys.exit('torch' in sys.modules)"
        command = [sys.executable, "-c", code]
        subprocess.run(command, env={"PYTHONPATH": str(root / "workflow")}, check=True)
