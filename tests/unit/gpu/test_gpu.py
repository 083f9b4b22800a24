"""A GPU gives what a CPU gives, in every stage that has one do its work. Skipped without one."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from geomod.base.arrivals import UNDER_WAY, Arrivals
from geomod.competence.reading import read_task_set
from geomod.competence.source import Source
from geomod.models.forward import read
from geomod.models.lens import Lens
from geomod.models.loading import load_model
from geomod.models.scored import Scored
from geomod.models.sentences import Sentences
from geomod.models.story import Story
from geomod.ridge.banded import ladder
from geomod.ridge.delays import Delays
from geomod.ridge.engine import encode
from geomod.stories.settings import Settings as Told
from geomod.stories.timing import Timing, rows_of
from geomod.stories.words import cut
from tests.unit.models.small_models import SENTENCES, WORDS, save_families

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
ALPHAS = np.logspace(-2, 8, 21)


def layers(count: int, n: int, width: int, targets: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    y = rng.standard_normal((n, targets))
    x = rng.standard_normal((count, n, width))
    x[:, :, :3] += y[:, :3] @ rng.standard_normal((3, 3))
    return x / np.arange(1, width + 1) ** 0.5, y


@needs_gpu
@pytest.mark.parametrize(("n", "width", "targets"), [(300, 40, 6), (300, 400, 6), (300, 60, 2000)])
def test_many_layers_at_once(n: int, width: int, targets: int) -> None:
    x, y = layers(7, n, width, targets)
    there, here = (encode(x, y, alphas=ALPHAS, device=device) for device in ("cuda", "cpu"))
    assert_array_equal(there.alpha, here.alpha)
    assert_allclose(there.r, here.r, atol=1e-5)


@needs_gpu
@pytest.mark.parametrize("width", [4, 60])
def test_delayed_rows_of_stories(width: int) -> None:
    x, y = layers(4, 200, width, 3)
    rows = Delays(np.repeat(["a", "b", "c", "d"], 50), (1, 2, 3, 4), (3, 2))
    how: dict[str, Any] = {"alphas": ALPHAS, "folds": 4, "inner_folds": "loo", "delays": rows}
    there, here = (
        encode(x, y, permutations=11, device=device, **how) for device in ("cuda", "cpu")
    )
    assert_array_equal(there.alpha, here.alpha)
    assert_allclose(there.r, here.r, atol=1e-6)
    assert_allclose(there.null, here.null, atol=1e-5)


@needs_gpu
def test_a_ladder_beside_a_baseline() -> None:
    x, y = layers(3, 200, 50, 4)
    baseline = np.random.default_rng(1).standard_normal((200, 2))
    there, here = (ladder(baseline, x, y, alphas=ALPHAS, device=d) for d in ("cuda", "cpu"))
    for rung, r in here.r.items():
        assert_allclose(there.r[rung], r, atol=1e-6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    save_families(root)
    return root / "gpt-neox"


def all_readings(folder: Path, device: str, tmp_path: Path) -> tuple[Any, ...]:
    model, tokenizer = load_model(folder, device=device)
    many = [*SENTENCES, *(f"{a} {b} {a}" for a in WORDS for b in WORDS)]  # more than are under way
    stimuli = pd.DataFrame({"item_id": range(len(many)), "sentence": many, "group": "a"})
    sentences, lens = Sentences(stimuli), Lens(stimuli)
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(
        "item_id,task,good,bad\n1,a,the cat sat,the cat ran\n2,b,a dog sat,a cat sat\n"
    )
    scored = Scored(read_task_set(Source("mine", "pairs", [str(pairs)])))
    said = [WORDS[i % len(WORDS)] for i in range(60)]
    onset = np.arange(60) * 0.5
    words = pd.DataFrame({"story": "s", "word": said, "onset": onset, "offset": onset + 0.2})
    how = Told(words="words.csv", tr=1.5, context_tokens=16)
    story = Story(cut(words, 10), words=words, rows=rows_of({"s": Timing(1.5, 20, 0.0)}), how=how)
    read(model, tokenizer, [sentences, lens, scored, story], batch_tokens=24)
    return sentences, lens, scored, story


@needs_gpu
def test_every_reading_of_a_forward_pass(folder: Path, tmp_path: Path) -> None:
    there, here = (all_readings(folder, device, tmp_path) for device in ("cuda", "cpu"))
    for ours, theirs in ((there[0], here[0]), (there[3], here[3])):
        for layer, features in theirs.features.items():
            assert_allclose(ours.features[layer], features, rtol=1e-3, atol=1e-4)
            grams = theirs.grams[layer].values
            assert_allclose(ours.grams[layer].values, grams, rtol=1e-3, atol=1e-3)
        assert_allclose(ours.tokens["surprisal"], theirs.tokens["surprisal"], atol=1e-4)
    assert_allclose(there[1].values, here[1].values, atol=1e-3)
    assert_allclose(there[2].spans["log_p"], here[2].spans["log_p"], atol=1e-4)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
def test_what_is_sent_arrives_whole_and_in_order(device: str) -> None:
    arrivals, found = Arrivals(), []
    for k in range(3 * UNDER_WAY):
        arrivals.send(torch.full((5,), float(k), device=device), found.append)
    arrivals.wait()
    assert_allclose(found, np.repeat(np.arange(3 * UNDER_WAY), 5).reshape(-1, 5))
