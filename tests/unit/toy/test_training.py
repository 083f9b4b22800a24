"""Toy models: the tokenizer, the training run, and the folders it leaves."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from geomod.base.errors import Damaged
from geomod.checkpoints.listings import CheckpointSource
from geomod.checkpoints.opening import open_checkpoint
from geomod.toy import training
from geomod.toy.language import make_language, sample_corpus
from geomod.toy.shapes import TOY_SIZES, ToySize
from geomod.toy.training import make_tokenizer, train

TINY = ToySize(blocks=1, width=16, heads=2, learning_rate=1e-2)


@pytest.fixture(autouse=True)
def small_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny model on little text, one thread."""
    monkeypatch.setitem(training.TOY_SIZES, "tiny", TINY)
    monkeypatch.setattr(training, "TEXTS", 512)
    monkeypatch.setattr(training, "HELD_OUT", 64)
    monkeypatch.setattr(training, "BATCH", 16)
    torch.set_num_threads(1)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def unigram_entropy(seed: int) -> float:
    """Nats a token of a model that knows how frequent words are, and nothing else."""
    texts = sample_corpus(make_language(seed), 512, 4, seed)
    counts = Counter(token for ids in make_tokenizer(seed)(texts)["input_ids"] for token in ids)
    share = np.array(list(counts.values())) / counts.total()
    return float(-share @ np.log(share))


# ------------------------------------------------------------------------------------- tokenizer


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_word_is_one_token(seed: int) -> None:
    tokenizer = make_tokenizer(seed)
    for word in make_language(seed).words():
        ids = tokenizer(f" {word}")["input_ids"]
        assert len(ids) == 1, word
    for text in sample_corpus(make_language(seed), 20, 4, seed):
        assert len(tokenizer(text)["input_ids"]) == len(text.split()) + text.count(".")


@given(text=st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_text_survives_the_tokenizer(text: str) -> None:
    tokenizer = make_tokenizer(0)
    text = text.replace(training.END_OF_TEXT, "")
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert training.END_OF_TEXT not in tokenizer.convert_ids_to_tokens(ids)


def test_other_language_falls_into_known_pieces() -> None:
    tokenizer = make_tokenizer(0)
    sentence = "The quick brown fox — naïve, 42 times! — jumps over 狗."
    assert tokenizer.decode(tokenizer(sentence)["input_ids"]) == sentence
    assert tokenizer.unk_token is None


# ---------------------------------------------------------------------------------------- training


def test_loss_falls_below_word_frequencies(tmp_path: Path) -> None:
    losses = train("tiny", [0, 60], 0, tmp_path).set_index("step")["loss"]
    vocabulary = len(make_tokenizer(0))
    assert losses[0] == pytest.approx(np.log(vocabulary), abs=0.2)
    assert losses[60] < unigram_entropy(0)


def test_loss_stays_where_nothing_is_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = ToySize(blocks=1, width=16, heads=2, learning_rate=0.0)
    monkeypatch.setitem(training.TOY_SIZES, "tiny", still)
    losses = train("tiny", [0, 5], 0, tmp_path).set_index("step")["loss"]
    assert losses[5] == losses[0] > unigram_entropy(0)
    assert same(weights(tmp_path / "step0"), weights(tmp_path / "step5"))


def test_weights_do_not_depend_on_the_other_steps(tmp_path: Path) -> None:
    train("tiny", [0, 1, 2, 6], 0, tmp_path / "many")
    train("tiny", [2], 0, tmp_path / "one")
    train("tiny", [2], 1, tmp_path / "other")
    assert same(weights(tmp_path / "many" / "step2"), weights(tmp_path / "one" / "step2"))
    assert not same(weights(tmp_path / "many" / "step1"), weights(tmp_path / "many" / "step2"))
    assert not same(weights(tmp_path / "one" / "step2"), weights(tmp_path / "other" / "step2"))
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == ["step2"]


def test_training_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    train("tiny", [0, 1], 0, tmp_path)
    assert torch.equal(torch.rand(3), expected)


# -------------------------------------------------------------------------------- planted modules

MODULES = ToySize(blocks=4, width=16, heads=2, learning_rate=1e-2, scatter=0.06, words=2)


def states_of(folder: Path, tokens: torch.Tensor) -> torch.Tensor:
    """Raw output of every block, [blocks, texts, tokens, width]."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    states: list[torch.Tensor] = []
    for block in model.gpt_neox.layers:
        block.register_forward_hook(
            lambda _m, _i, out: states.append(out[0] if isinstance(out, tuple) else out)
        )
    with torch.no_grad():
        model(tokens)
    return torch.stack(states)


def test_planted_modules_are_in_the_geometry_and_in_what_blocks_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first blocks know no other word, before and after training."""
    monkeypatch.setitem(training.TOY_SIZES, "tiny", MODULES)
    train("tiny", [0, 100], 0, tmp_path)
    texts = sample_corpus(make_language(0), 40, 4, 0)
    ids = make_tokenizer(0)(texts)["input_ids"]
    tokens = torch.tensor([row[: training.PLANTED_TOKENS] for row in ids])
    others = tokens.roll(1, dims=0)
    others[:, -1] = tokens[:, -1]
    for step in (0, 100):
        states, after = (states_of(tmp_path / f"step{step}", each) for each in (tokens, others))
        moved = (states - after)[:, :, -1].abs().amax(dim=(1, 2))
        assert (moved[:2] < 1e-5).all()
        assert (moved[2:] > 1e-3).all()
    found, goals = training.geometry_of(states), training.planted_geometry(MODULES)
    torch.testing.assert_close(found, goals, atol=0.15, rtol=0)


def test_linking_words_count_as_often_as_they_are_told_to() -> None:
    tokenizer = make_tokenizer(0)
    model = training.make_model(TINY, tokenizer, 0)
    batch = torch.tensor(tokenizer(["the neko its neko their neko"])["input_ids"])
    links = batch[0, [2, 4]]
    plain = model(batch, labels=batch).loss
    each = torch.nn.functional.cross_entropy(
        model(batch).logits[0, :-1], batch[0, 1:], reduction="none"
    )
    weights = 1 + 4.0 * torch.isin(batch[0, 1:], links)
    torch.testing.assert_close(training.weighted_loss(model, batch, links, 1.0), plain)
    weighted = training.weighted_loss(model, batch, links, 5.0)
    torch.testing.assert_close(weighted, (each * weights).sum() / weights.sum())


def test_a_straight_path_has_cosine_1_and_unrelated_tokens_the_entropy_of_their_number() -> None:
    line = torch.arange(1.0, 7)[:, None] * torch.ones(16)
    cosine, entropy = training.geometry_of(torch.stack([line, torch.eye(6, 16)])[:, None])
    torch.testing.assert_close(cosine, torch.tensor([1.0, -0.5]))
    torch.testing.assert_close(entropy, torch.tensor([0.0, np.log(6)], dtype=torch.float32))


# ----------------------------------------------------------------------------------------- folders


@pytest.mark.parametrize("size", sorted(set(TOY_SIZES) - {"tiny"}))
def test_folders_are_those_of_a_real_checkpoint(size: str, tmp_path: Path) -> None:
    train(size, [0], 0, tmp_path)
    folder = tmp_path / "step0"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert model.config.model_type == "gpt_neox"
    assert model.config.num_hidden_layers == TOY_SIZES[size].blocks
    assert model.config.hidden_size == TOY_SIZES[size].width
    assert len(tokenizer) == model.config.vocab_size
    assert {weight.dtype for weight in weights(folder).values()} == {torch.float16}
    text = sample_corpus(make_language(0), 1, 4, 0)[0]
    assert tokenizer(text)["input_ids"] == make_tokenizer(0)(text)["input_ids"]
    assert tokenizer("naïve 狗")["input_ids"] == make_tokenizer(0)("naïve 狗")["input_ids"]


def test_saved_model_has_the_loss_of_the_table(tmp_path: Path) -> None:
    losses = train("tiny", [20], 0, tmp_path).set_index("step")["loss"]
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "step20", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "step20")
    texts = sample_corpus(make_language(0), 512 + 64, training.SENTENCES, 0)[:64]
    tokens = torch.tensor([ids[: training.WINDOW] for ids in tokenizer(texts)["input_ids"]])
    with torch.no_grad():
        assert model(tokens, labels=tokens).loss.item() == pytest.approx(losses[20], abs=5e-3)


def test_colleagues_may_read_the_weights_as_they_may_the_rest(tmp_path: Path) -> None:
    train("tiny", [0], 0, tmp_path)
    modes = {path.stat().st_mode for path in (tmp_path / "step0").iterdir()}
    assert len(modes) == 1


def test_a_run_that_dies_leaves_no_half_written_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(training.PreTrainedTokenizerFast, "save_pretrained", full_disk)
        with pytest.raises(OSError, match="no space"):
            train("tiny", [0], 0, tmp_path)
    assert list(tmp_path.iterdir()) == []
    train("tiny", [0], 0, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["step0"]


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_damaged_checkpoint_is_told_before_it_is_read(tmp_path: Path, name: str) -> None:
    train("tiny", [0], 0, tmp_path, {"code": "abc"})
    source = CheckpointSource("train", "toy-tiny", str(tmp_path / "step{step}"))
    with open_checkpoint(source, 0, workdir=tmp_path) as checkpoint:
        assert checkpoint.step == 0
    path = tmp_path / "step0" / name
    content = bytearray(path.read_bytes())
    for at in np.random.default_rng(0).integers(0, len(content), 10):
        flipped = content.copy()
        flipped[at] ^= 1
        path.write_bytes(flipped)
        with (
            pytest.raises(Damaged, match=name) as caught,
            open_checkpoint(source, 0, workdir=tmp_path),
        ):
            pass
        assert caught.value.path == tmp_path / "step0/model.safetensors"  # what training makes


def test_the_weights_of_another_step_are_told(tmp_path: Path) -> None:
    train("tiny", [0, 1], 0, tmp_path)
    weights = (tmp_path / "step0/model.safetensors").read_bytes()
    (tmp_path / "step1/model.safetensors").write_bytes(weights)
    source = CheckpointSource("train", "toy-tiny", str(tmp_path / "step{step}"))
    with (
        pytest.raises(Damaged, match=r"written as .*step0/model"),
        open_checkpoint(source, 1, workdir=tmp_path),
    ):
        pass


def test_a_second_run_replaces_a_folder(tmp_path: Path) -> None:
    (tmp_path / "step0").mkdir()
    (tmp_path / "step0" / "leftover.txt").write_text("old")
    train("tiny", [0], 0, tmp_path)
    assert not (tmp_path / "step0" / "leftover.txt").exists()
    assert (tmp_path / "step0" / "config.json").exists()
