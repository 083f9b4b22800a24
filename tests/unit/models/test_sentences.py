"""Sentences, against transformers' own hidden states, one sentence at a time."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import GPTNeoXConfig, GPTNeoXModel, T5Config, T5Model

from geomod.base.errors import InputError
from geomod.base.layers import read_features, read_header
from geomod.base.tables import read_table
from geomod.geometry.catalogue import names
from geomod.geometry.grams import read_grams
from geomod.geometry.measuring import measure, summarize
from geomod.models.forward import read
from geomod.models.loading import check_it_fits, find_blocks, load_model, parameters_of, tokenize
from geomod.models.sentences import Sentences, extract
from tests.unit.models.small_models import (
    DECODERS,
    DEPTH,
    FAMILIES,
    MORE,
    SENTENCES,
    SIZES,
    WIDTH,
    one_by_one,
)

# As templates are: who speaks, what was said, and what comes after.
CHAT = "<bos>{% for m in messages %}a dog {{ m['content'] | trim }} and a cat {% endfor %}"


@pytest.mark.parametrize("family", FAMILIES)
def test_batches_equal_one_by_one_in_every_family(folders, family):
    model, tokenizer = load_model(folders / family)
    assert model.dtype == torch.float32
    assert len(find_blocks(model)) == DEPTH
    found = extract(model, tokenizer, SENTENCES, batch_tokens=12)
    normed = extract(model, tokenizer, SENTENCES, last_layer="normed", pooling="mean")
    assert list(found.features) == list(range(DEPTH + 1))
    for row, sentence in enumerate(SENTENCES):
        ids = tokenizer(sentence, add_special_tokens=False)["input_ids"]
        (*states, after_norm), _ = one_by_one(model, ids)
        for layer, tokens in enumerate(states):
            np.testing.assert_allclose(found.features[layer][row], tokens[-1], atol=1e-5)
            wide = tokens.astype(np.float64)
            np.testing.assert_allclose(found.grams[layer][row], wide @ wide.T, atol=1e-4, rtol=1e-5)
        np.testing.assert_allclose(normed.features[1][row], states[1].mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(normed.features[DEPTH][row], after_norm.mean(axis=0), atol=1e-5)


def test_last_hidden_state_of_gpt_neox_is_another_scale(neox):
    model, tokenizer = neox
    raw = extract(model, tokenizer, SENTENCES).features[DEPTH]
    normed = extract(model, tokenizer, SENTENCES, last_layer="normed").features[DEPTH]
    with torch.inference_mode():
        expected = model.gpt_neox.final_layer_norm(torch.from_numpy(raw)).numpy()
    np.testing.assert_allclose(normed, expected, atol=1e-5)
    assert np.abs(raw - normed).max() > 0.1


@pytest.mark.parametrize("family", DECODERS)
def test_surprisal_is_the_loss_of_the_model(folders, family):
    model, tokenizer = load_model(folders / family)
    table = extract(model, tokenizer, SENTENCES).tokens
    for sentence, row in zip(SENTENCES, table.itertuples(), strict=True):
        ids = torch.tensor([tokenizer(sentence, add_special_tokens=False)["input_ids"]])
        assert row.n_tokens == ids.shape[1]
        if ids.shape[1] == 1:
            assert np.isnan([row.surprisal, row.predictive_entropy]).all()
            continue
        with torch.inference_mode():
            output = model(ids, labels=ids)
        assert row.surprisal == pytest.approx(output.loss.item(), abs=1e-5)
        each = torch.distributions.Categorical(logits=output.logits[0, :-1]).entropy()
        assert row.predictive_entropy == pytest.approx(each.mean().item(), abs=1e-5)


def test_model_without_a_head_has_no_surprisal(folders, tmp_path):
    GPTNeoXModel(GPTNeoXConfig(**SIZES, **MORE)).save_pretrained(tmp_path / "body")
    for model, tokenizer in (
        load_model(tmp_path / "body", tokenizer=folders / "gpt-neox"),
        load_model(folders / "bert"),
    ):
        found = extract(model, tokenizer, SENTENCES)
        assert found.tokens[["surprisal", "predictive_entropy"]].isna().all().all()
        assert all(np.isfinite(features).all() for features in found.features.values())


def test_dropping_the_first_token_deletes_it_from_gram_and_mean(neox):
    model, tokenizer = neox
    longer = [sentence for sentence in SENTENCES if sentence != "dog"]
    kept = extract(model, tokenizer, longer, pooling="mean")
    dropped = extract(model, tokenizer, longer, pooling="mean", first_token="drop")
    for layer in kept.grams:
        for row in range(len(longer)):
            whole = kept.grams[layer][row]
            np.testing.assert_allclose(dropped.grams[layer][row], whole[1:, 1:], rtol=1e-12)
    # "it ran" has one token left: its mean is that token.
    last = extract(model, tokenizer, ["it ran"]).features[2]
    mean = extract(model, tokenizer, ["it ran"], pooling="mean", first_token="drop").features[2]
    assert np.array_equal(last, mean)
    with pytest.raises(InputError, match=r"row 1 \(from 0\): 'dog' has one token"):
        extract(model, tokenizer, SENTENCES, first_token="drop")


def test_a_chat_template_stands_before_a_text_and_belongs_to_no_unit(neox):
    model, tokenizer = neox
    with pytest.raises(InputError, match="`chat_template` of the suite is true, but its tokenizer"):
        extract(model, tokenizer, SENTENCES, bos="chat")
    plain = extract(model, tokenizer, SENTENCES)
    tokenizer.chat_template = CHAT
    found = extract(model, tokenizer, SENTENCES, bos="chat", pooling="mean")
    head = tokenizer("<bos>a dog", add_special_tokens=False)["input_ids"]
    for row, sentence in enumerate(SENTENCES):
        ids = [*head, *tokenizer(sentence, add_special_tokens=False)["input_ids"]]
        (*states, _), output = one_by_one(model, ids)
        for layer, tokens in enumerate(states):
            own = tokens[len(head) :].astype(np.float64)
            np.testing.assert_allclose(found.features[layer][row], own.mean(axis=0), atol=1e-5)
            np.testing.assert_allclose(found.grams[layer][row], own @ own.T, atol=1e-4, rtol=1e-5)
        log_p = output.logits[0, :-1].log_softmax(dim=-1)[range(len(ids) - 1), ids[1:]]
        expected = -log_p[len(head) - 1 :].mean().item()
        assert found.tokens["surprisal"][row] == pytest.approx(expected, abs=1e-5)
    # To whoever holds a tuned model against its base the text is the same tokens.
    for column in ("read", "n_tokens", "n_fragments"):
        assert list(found.tokens[column]) == list(plain.tokens[column])
    assert found.tokens["read"][2] == "6:it 12:ran"


def test_special_tokens_are_a_stated_choice(neox, folders):
    _, decoder = neox
    bert = load_model(folders / "bert")[1]
    bare = decoder("the cat", add_special_tokens=False)["input_ids"]
    assert tokenize(decoder, ["the cat"]) == [bare]
    assert tokenize(decoder, ["the cat"], bos="add") == [[decoder.bos_token_id, *bare]]
    assert tokenize(bert, ["the cat"]) == [bare]
    assert tokenize(bert, ["the cat"], bos="tokenizer") == [[2, *bare, 3]]
    with pytest.raises(InputError, match="no beginning-of-sequence token; set it to none, or"):
        tokenize(bert, ["the cat"], bos="add")


def test_bos_and_dropping_it_leaves_the_words(neox):
    model, tokenizer = neox
    found = extract(model, tokenizer, SENTENCES, bos="add", first_token="drop")
    plain = extract(model, tokenizer, SENTENCES)
    assert found.tokens["n_tokens"].equals(plain.tokens["n_tokens"])
    # The first word is predicted from the BOS, so that every sentence has a surprisal.
    assert found.tokens["surprisal"].notna().all()
    assert not np.allclose(found.features[DEPTH], plain.features[DEPTH], atol=1e-3)


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        ("", r"row 1 \(from 0\): '' gives no token"),
        ("  ", r"row 1 \(from 0\): '  ' gives no token"),
        (None, r"row 1 \(from 0\): None is not text"),
        (float("nan"), r"row 1 \(from 0\): nan is not text"),
        ("the " * 17, r"row 1 \(from 0\): 17 tokens, but the model takes at most 16"),
    ],
)
def test_sentences_that_cannot_be_read_name_their_row(neox, sentence, message):
    model, tokenizer = neox
    with pytest.raises(InputError, match=message):
        extract(model, tokenizer, ["the cat", sentence])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_diverged_checkpoint_is_reported_and_ends_well(neox, tmp_path, bad, caplog):
    model, tokenizer = neox
    find_blocks(model)[1].mlp.dense_4h_to_h.bias.data[0] = bad
    found = extract(model, tokenizer, SENTENCES)
    assert "not finite in layers [2, 3]" in caplog.text
    table = summarize(measure(found.grams, [str(i) for i in range(len(SENTENCES))], names()))
    assert table.query("layer <= 1")["n_nonfinite"].eq(0).all()
    assert table.query("layer == 2")["n_nonfinite"].eq(len(SENTENCES)).all()
    assert table.query("layer == 2")["mean"].isna().all()


def test_files_hold_what_was_extracted(neox, tmp_path):
    stimuli = pd.DataFrame({"item_id": list("abcdefg"), "sentence": SENTENCES})
    found = Sentences(stimuli)
    read(*neox, [found])
    place = {"dataset": "d", "model": "m", "step": 3, "parameters": 12, "vocabulary": 19}
    found.write(tmp_path, place, {"sha": "abc"})
    features, grams, tokens = (tmp_path / name for name in Sentences.files)
    for layer, expected in read_features(features).items():
        assert expected.dtype == np.float32
        assert np.array_equal(found.features[layer], expected)
    for layer, gram in read_grams(grams).items():
        assert np.array_equal(gram.values, found.grams[layer].values)
        assert np.array_equal(gram.lengths, found.tokens["n_tokens"])
        assert gram.width == WIDTH
    assert read_header(features) == read_header(grams) == {"sha": "abc"}
    table = read_table(tokens)
    assert table["item_id"].tolist() == list("abcdefg")
    assert table["surprisal"].equals(found.tokens["surprisal"])
    assert table[list(place)].to_dict("records") == [place] * len(SENTENCES)


def test_repeated_tokens_stand_still(neox):
    model, tokenizer = neox
    found = extract(model, tokenizer, ["the the the the"])
    table = measure(found.grams, ["s"], {"still_steps": ["raw"], "curvature": ["hosseini"]})
    still = table[table["metric"] == "still_steps"]
    # With nothing but "the" to attend to, no layer can tell one from the next.
    assert still["value"].tolist() == [3.0] * (DEPTH + 1)
    assert table.loc[table["metric"] == "curvature", "value"].isna().all()


class TestLoading:
    def test_encoder_decoder_says_what_to_configure(self):
        config = T5Config(vocab_size=19, d_model=16, d_ff=32, d_kv=4, num_heads=4, num_layers=2)
        model = T5Model(config)
        with pytest.raises(InputError, match=r"Set features\.blocks to one of .*encoder\.block"):
            find_blocks(model)
        assert len(find_blocks(model, "encoder.block")) == 2
        with pytest.raises(InputError, match=r"features\.blocks: 'layers' is no list of modules"):
            find_blocks(model, "layers")

    def test_blocks_named_in_the_config_are_the_same(self, neox):
        model, tokenizer = neox
        named = extract(model, tokenizer, SENTENCES, blocks="gpt_neox.layers")
        found = extract(model, tokenizer, SENTENCES)
        assert np.array_equal(named.features[DEPTH], found.features[DEPTH])

    def test_missing_weights_are_never_drawn_at_random(self, folders, tmp_path):
        source = folders / "gpt-neox"
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
            (tmp_path / name).write_bytes((source / name).read_bytes())
        weights = load_file(source / "model.safetensors")
        del weights["gpt_neox.layers.1.mlp.dense_h_to_4h.weight"]
        save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(InputError, match=r"weights lack gpt_neox\.layers\.1\.mlp"):
            load_model(tmp_path)

    @pytest.mark.parametrize("family", FAMILIES)
    def test_weights_are_those_that_transformers_loads(self, folders, family):
        ours = load_model(folders / family)[0]
        theirs = type(ours).from_pretrained(folders / family, dtype=torch.float32)
        assert not ours.training
        assert dict(ours.named_buffers()).keys() == dict(theirs.named_buffers()).keys()
        for (name, mine), expected in zip(
            ours.state_dict().items(), theirs.state_dict().values(), strict=True
        ):
            # BERT's pooler is in no file of a masked language model, and in no hidden state.
            assert "pooler" in name or torch.equal(mine, expected)
        with torch.inference_mode():
            mine, expected = (m.eval()(torch.tensor([[5, 6, 7]]))[0] for m in (ours, theirs))
        assert torch.equal(mine, expected)

    def test_weights_in_shards_or_in_a_bin_file_are_the_same(self, folders, neox, tmp_path):
        expected = neox[0].state_dict()
        neox[0].save_pretrained(tmp_path / "shards", max_shard_size="50KB")
        assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "config.json").write_bytes(
            (folders / "gpt-neox" / "config.json").read_bytes()
        )
        torch.save(expected, tmp_path / "bin" / "pytorch_model.bin")
        for form in ("shards", "bin"):
            found, _ = load_model(tmp_path / form, tokenizer=folders / "gpt-neox")
            assert found.dtype == torch.float32
            for name, weight in found.state_dict().items():
                assert torch.equal(weight, expected[name])

    def test_buffers_of_older_files_do_no_harm(self, folders, tmp_path):
        source = folders / "gpt-neox"
        for file in source.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        weights = load_file(source / "model.safetensors")
        weights["gpt_neox.layers.0.attention.bias"] = torch.ones(1, 1, 16, 16, dtype=torch.bool)
        weights["gpt_neox.layers.0.attention.rotary_emb.inv_freq"] = torch.ones(4)
        save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
        found, expected = load_model(tmp_path)[0], load_model(source)[0]
        for mine, theirs in zip(
            found.state_dict().values(), expected.state_dict().values(), strict=True
        ):
            assert torch.equal(mine, theirs)

    def test_torn_weights_are_told(self, folders, tmp_path):
        for file in (folders / "gpt-neox").iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes()[:5000])
        (tmp_path / "config.json").write_bytes((folders / "gpt-neox/config.json").read_bytes())
        with pytest.raises(InputError, match=r"model\.safetensors: not a whole safetensors file"):
            load_model(tmp_path)

    def test_folder_without_a_model(self, tmp_path):
        with pytest.raises(InputError, match=r"no config\.json"):
            load_model(tmp_path)

    @pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
    def test_precision_is_explicit(self, folders, dtype):
        model, tokenizer = load_model(folders / "gpt-neox", dtype=dtype)
        assert str(model.dtype) == f"torch.{dtype}"
        found = extract(model, tokenizer, SENTENCES)
        assert found.features[1].dtype == np.float32
        assert found.grams[1].values.dtype == np.float64
        exact = extract(*load_model(folders / "gpt-neox"), SENTENCES)
        for layer, features in exact.features.items():
            apart = np.abs(found.features[layer] - features).max() / np.abs(features).max()
            assert 0 < apart < 0.05 or layer == 0
        np.testing.assert_allclose(found.tokens["surprisal"], exact.tokens["surprisal"], atol=0.1)
        assert all(values.dtype == np.float32 for _, values in parameters_of(model))

    def test_models_over_many_devices_need_accelerate(self, folders, neox):
        if not transformers.utils.is_accelerate_available():
            with pytest.raises(InputError, match="needs the package accelerate; install it"):
                load_model(folders / "gpt-neox", spread=True)
            return
        spread = extract(*load_model(folders / "gpt-neox", spread=True), SENTENCES)
        assert spread.tokens.equals(extract(*neox, SENTENCES).tokens)

    def test_a_model_that_does_not_fit_is_told(self, neox):
        neox[0].hf_device_map = {"gpt_neox": 0, "embed_out": "cpu"}
        with pytest.raises(InputError, match="does not fit into the GPUs of this machine"):
            check_it_fits(neox[0], "folder")


def damaged(folders, tmp_path, change):
    """A copy of a good folder, with its config.json changed."""
    folder = tmp_path / "damaged"
    shutil.copytree(folders / "gpt-neox", folder)
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(values | change))
    return folder


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hidden_size": 64}, r"has the shape \[\d+.*\], but config.json makes it \["),
        ({"model_type": "gpt_neoy"}, "`model_type` is 'gpt_neoy', .* Did you mean 'gpt_neo"),
        ({"model_type": None}, "`model_type` is None, which transformers"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "the weights are quantized"),
        ({"num_attention_heads": 5}, "no model can be made of its config.json"),
        ({"num_hidden_layers": "three"}, "no model can be made of its config.json"),
    ],
)
def test_a_config_that_does_not_fit_is_said_in_one_sentence(folders, tmp_path, change, words):
    folder = damaged(folders, tmp_path, change)
    with pytest.raises(InputError, match=words) as caught:
        load_model(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bin_files_of_another_shape_are_refused_too(folders, tmp_path):
    folder = damaged(folders, tmp_path, {"hidden_size": 64})
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="has the shape"):
        load_model(folder)


@pytest.mark.parametrize(
    ("name", "what"), [("config", "is no JSON"), ("tokenizer", "tokenizer ca")]
)
@pytest.mark.parametrize("text", ["{", "", "[1, 2]"])
def test_files_that_are_no_json_are_named(folders, tmp_path, name, what, text):
    folder = damaged(folders, tmp_path, {})
    (folder / f"{name}.json").write_text(text)
    with pytest.raises(InputError, match=f"{what}|must hold keys") as caught:
        load_model(folder)
    assert str(folder) in str(caught.value)


def test_a_tokenizer_beyond_the_vocabulary_is_refused(folders):
    model, tokenizer = load_model(folders / "gpt-neox")
    tokenizer.add_tokens(["zebra"])
    with pytest.raises(InputError, match="gives the token 19, but the model has embeddings of 19"):
        extract(model, tokenizer, ["the cat", "the zebra"])
