"""The registry, closed forms of the measures, and sentences that have none."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geomod.base import plugins
from geomod.base.errors import InputError
from geomod.geometry import measuring, registry
from geomod.geometry.catalogue import load_plugins, names
from geomod.geometry.grams import Grams
from geomod.geometry.measuring import left_out, measure, summarize
from geomod.geometry.sentence import curvature, displacements
from geomod.geometry.sets import measure_population


def value(states, metric, variant):
    """One measure of one sentence."""
    grams = {0: Grams.of_states([np.asarray(states, dtype=float)])}
    return measure(grams, ["s"], {metric: [variant]})["value"].item()


def noise(tokens, width, seed=0):
    return np.random.default_rng(seed).normal(size=(tokens, width))


def without_still(states, step):
    """Folded angle of the normed tokens, without the angles beside one step."""
    tokens = states - states.mean(axis=0)
    tokens /= np.linalg.norm(tokens, axis=1, keepdims=True)
    steps = np.diff(tokens, axis=0)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    angles = np.arccos(np.abs((steps[1:] * steps[:-1]).sum(axis=1)))
    return np.delete(angles, [step - 1, step]).mean()


class TestEntropy:
    def test_orthogonal_tokens_of_equal_norm_give_ln_tokens(self):
        assert value(3 * np.eye(7), "entropy", "raw") == pytest.approx(np.log(7), abs=1e-12)

    def test_parallel_tokens_give_zero(self):
        line = np.outer([1.0, 2.0, -3.0, 0.5], [1.0, 2.0, 3.0])
        assert value(line, "entropy", "raw") == pytest.approx(0, abs=1e-12)

    @pytest.mark.parametrize("variant", ["centred", "normed"])
    def test_centred_simplex_gives_ln_of_one_less(self, variant):
        assert value(np.eye(6), "entropy", variant) == pytest.approx(np.log(5), abs=1e-12)

    @pytest.mark.parametrize("order", ["renyi0.5", "renyi2"])
    def test_equal_weights_give_the_same_at_every_order(self, order):
        assert value(np.eye(5), "entropy", f"raw-{order}") == pytest.approx(np.log(5), abs=1e-12)

    def test_normalizations_divide_by_what_their_name_says(self):
        states = noise(9, 4)
        raw = value(states, "entropy", "raw")
        for name, size in (("lnmin", 4), ("lntokens", 9), ("lnwidth", 4)):
            assert value(states, "entropy", f"raw-per-{name}") == pytest.approx(raw / np.log(size))

    @given(seed=st.integers(0, 10_000), tokens=st.integers(2, 10))
    @settings(max_examples=40, deadline=None)
    def test_between_zero_and_ln_min(self, seed, tokens):
        for variant in names()["entropy"]:
            if "per" not in variant:
                found = value(noise(tokens, 4, seed), "entropy", variant)
                # A clamped Gram is none, and its rank not bounded by the width.
                most = tokens if variant.startswith("clamped") else min(tokens, 4)
                assert np.isnan(found) or -1e-12 <= found <= np.log(most) + 1e-9

    def test_first_token_sink_collapses_it_and_dropping_the_token_restores_it(self):
        states = noise(10, 512)
        plain = value(states, "entropy", "centred-per-lnmin")
        states[0] *= 1e4
        assert value(states, "entropy", "centred-per-lnmin") < 0.1 < 0.9 < plain
        assert value(states, "entropy", "centred-drop1-per-lnmin") > 0.9

    def test_order_two_is_of_the_spectrum_with_nothing_divided_twice(self):
        states = noise(12, 2048)
        gram = states @ states.T
        expected = -np.log(np.square(gram / np.trace(gram)).sum())
        assert value(states, "entropy", "raw-renyi2") == pytest.approx(expected, abs=1e-12)
        # With T² in the denominator too, as public code has it, it would be above ln T.
        assert expected <= np.log(12) < expected + 2 * np.log(12)

    def test_clamping_makes_the_rank_look_higher(self):
        states = noise(10, 512)
        assert value(states, "entropy", "clamped") > value(states, "entropy", "normed")


class TestCurvature:
    def test_straight_line_is_zero(self):
        line = np.outer(np.arange(6.0), [1.0, -2.0, 0.5]) + np.array([4.0, 5.0, 6.0])
        assert value(line, "curvature", "hosseini") == pytest.approx(0, abs=1e-6)

    def test_staircase_of_right_angles_is_half_pi(self):
        stairs = np.cumsum(np.eye(6), axis=0)
        assert value(stairs, "curvature", "hosseini") == pytest.approx(np.pi / 2)

    def test_going_back_and_forth_is_pi_and_folds_to_zero(self):
        to_and_fro = np.outer([0.0, 1.0, 0.0, 1.0], [1.0, 2.0])
        assert value(to_and_fro, "curvature", "hosseini") == pytest.approx(np.pi, abs=1e-6)
        assert value(to_and_fro, "curvature", "folded") == pytest.approx(0, abs=1e-6)
        assert value(to_and_fro, "curvature", "lag2") == pytest.approx(0, abs=1e-6)

    def test_white_noise_is_two_thirds_pi_and_a_random_walk_half_pi(self):
        white = noise(60, 4000)
        assert value(white, "curvature", "hosseini") == pytest.approx(2 * np.pi / 3, abs=0.01)
        assert value(white, "curvature", "folded") == pytest.approx(np.pi / 3, abs=0.01)
        assert value(white, "curvature", "lag2") == pytest.approx(np.pi / 2, abs=0.01)
        walk = np.cumsum(white, axis=0)
        assert value(walk, "curvature", "hosseini") == pytest.approx(np.pi / 2, abs=0.01)

    def test_centred_states_of_a_line_turn_once_and_those_of_noise_lie_in_a_simplex(self):
        for tokens in (4, 6, 9):
            line = np.outer(np.arange(tokens), [1.0, -2.0, 0.5]) + np.array([4.0, 5.0, 6.0])
            # An odd line has a token at its mean, which has no direction, and so never turns.
            expected = np.pi / (tokens - 1) if tokens % 2 == 0 else 0
            found = value(line, "curvature", "centred-states")
            assert found == pytest.approx(expected, abs=1e-6)
        simplex = value(np.eye(7), "curvature", "centred-states")
        assert simplex == pytest.approx(np.arccos(-1 / 6), abs=1e-12)

    def test_normed_steps_of_a_simplex_fold_to_a_third_of_pi_and_a_line_has_none(self):
        simplex = value(np.eye(7), "curvature", "normed-folded")
        assert simplex == pytest.approx(np.pi / 3, abs=1e-12)
        line = np.outer(np.arange(6.0), [1.0, -2.0, 0.5])
        assert np.isnan(value(line, "curvature", "normed-folded"))
        walks = [np.cumsum(noise(12, 2048, seed), axis=0) for seed in range(20)]
        normed, folded = (
            np.mean([value(walk, "curvature", variant) for walk in walks])
            for variant in ("normed-folded", "folded")
        )
        assert normed < folded - 0.02

    def test_a_step_that_is_rounding_is_none_after_centring_either(self):
        stairs = 1e3 + np.cumsum(np.eye(5), axis=0)
        twice = np.insert(stairs, 2, stairs[2] * (1 + 1e-7), axis=0)
        found = value(twice, "curvature", "normed-folded")
        assert found == pytest.approx(without_still(twice, 2))

    @given(seed=st.integers(0, 10_000), scale=st.floats(1e-3, 1e3))
    @settings(max_examples=25, deadline=None)
    def test_shifting_and_scaling_all_tokens_changes_no_centred_angle(self, seed, scale):
        states = noise(7, 5, seed)
        moved = scale * (states + 3 * noise(1, 5, seed + 1))
        for variant in ("centred-states", "normed-folded"):
            found = value(moved, "curvature", variant)
            assert found == pytest.approx(value(states, "curvature", variant), abs=1e-7)

    def test_steps_without_movement_are_left_out_and_counted(self):
        # Two equal tokens in a row, the second off by one rounding step of float32.
        stairs = np.cumsum(np.eye(5), axis=0)
        twice = np.insert(stairs, 2, stairs[2] * (1 + 1e-7), axis=0)
        assert value(twice, "still_steps", "raw") == 1
        # Of the four angles between steps, the two next to the still one do not exist.
        assert value(twice, "curvature", "hosseini") == pytest.approx(np.pi / 2)
        assert np.isnan(value(np.ones((5, 3)), "curvature", "hosseini"))
        assert value(np.ones((5, 3)), "still_steps", "raw") == 4

    def test_change_since_a_layer(self):
        grams = {layer: Grams.of_states([noise(6, 5, layer)]) for layer in (0, 1, 2)}
        variants = ["hosseini", "hosseini-from0", "hosseini-from1"]
        table = measure(grams, ["s"], {"curvature": variants})
        wide = table.pivot_table(index="layer", columns="variant", values="value", observed=True)
        assert np.allclose(wide["hosseini-from0"], wide["hosseini"] - wide["hosseini"][0])
        assert np.allclose(wide["hosseini-from1"], wide["hosseini"] - wide["hosseini"][1])
        with pytest.raises(ValueError, match="needs layer 0"):
            measure({2: grams[2]}, ["s"], {"curvature": ["hosseini-from0"]})


@pytest.mark.parametrize(
    ("metric", "variant", "expected"),
    [
        ("path_length", "raw", 5.0),
        ("path_length", "raw-drop1", 4.0),
        ("step_length", "raw", 1.0),
        ("tokens", "count", 6.0),
    ],
)
def test_lengths_of_a_staircase(metric, variant, expected):
    assert value(np.cumsum(np.eye(6), axis=0), metric, variant) == pytest.approx(expected)


def test_ranks_of_equal_directions_and_norm_of_the_first_token():
    states = np.eye(5)
    assert value(states, "participation_ratio", "raw") == pytest.approx(5)
    assert value(states, "effective_rank", "raw") == pytest.approx(5)
    states[0] *= 100
    assert value(states, "first_token_norm", "ratio") == pytest.approx(100)
    assert value(states, "norm", "log") == pytest.approx(np.log(100) / 5)


class TestTokensTogether:
    def test_coherence_of_parallel_and_of_orthogonal_tokens(self):
        assert value(np.outer([1.0, 3.0, 2.0], [1.0, 2.0]), "coherence", "raw") == pytest.approx(1)
        assert value(3 * np.eye(5), "coherence", "raw") == pytest.approx(1 / 5)
        still = np.vstack([np.eye(5), np.zeros(5)])
        assert value(still, "coherence", "raw") == pytest.approx(1 / 5)

    def test_autocorrelation_of_a_line_of_alternation_and_of_noise(self):
        for tokens in (6, 11):
            line = np.outer(np.arange(float(tokens)), [1.0, -2.0])
            found = value(line, "autocorrelation", "lag1")
            assert found == pytest.approx((tokens - 3) / (tokens - 1))
        to_and_fro = np.outer([1.0, -1.0] * 3, [1.0, 2.0])
        assert value(to_and_fro, "autocorrelation", "lag1") == pytest.approx(-1)
        assert value(to_and_fro, "autocorrelation", "time") == pytest.approx(1)
        simplex = np.eye(7)
        for variant in ("lag1", "lag2", "lag3"):
            assert value(simplex, "autocorrelation", variant) == pytest.approx(-1 / 6)

    @pytest.mark.parametrize(("tokens", "expected"), [(6, 0.371), (12, 0.678), (40, 0.901)])
    def test_autocorrelation_of_a_random_walk(self, tokens, expected):
        walks = [np.cumsum(noise(tokens, 512, seed), axis=0) for seed in range(60)]
        found = np.mean([value(walk, "autocorrelation", "lag1") for walk in walks])
        assert found == pytest.approx(expected, abs=0.02)

    def test_connectivity_of_equal_and_equidistant_tokens_and_of_clusters(self):
        assert value(np.ones((5, 3)), "connectivity", "k1") == pytest.approx(1)
        w = np.exp(-1)  # the median distance is the only one
        for variant in ("k1", "k2"):
            found = value(np.eye(6), "connectivity", variant)
            assert found == pytest.approx(1 - (1 - w) / (1 + 5 * w))
        clusters = np.vstack([np.zeros((4, 2)), np.full((2, 2), 9.0)])
        clusters += 1e-3 * noise(6, 2)
        apart = np.vstack([np.zeros((9, 2)), np.full((2, 2), 9.0)]) + 1e-2 * noise(11, 2)
        assert value(apart, "connectivity", "k1") == pytest.approx(0, abs=1e-6)
        assert value(clusters, "connectivity", "k2") > value(clusters, "connectivity", "k1")


ANGULAR = {
    "coherence": ["raw", "raw-drop1"],
    "autocorrelation": ["lag1", "lag2", "time"],
    "connectivity": ["k1", "k2-drop1"],
    "entropy": ["raw", "centred-drop1", "normed", "clamped-renyi2"],
    "curvature": ["hosseini", "folded", "normed-folded", "states", "centred-states", "lag2-drop1"],
    "participation_ratio": ["raw"],
    "effective_rank": ["centred"],
    "first_token_norm": ["ratio"],
}


@given(seed=st.integers(0, 10_000), scale=st.floats(1e-3, 1e3))
@settings(max_examples=25, deadline=None)
def test_turning_and_scaling_all_tokens_changes_no_angle_and_no_rank(seed, scale):
    states = noise(7, 5, seed)
    turn, _ = np.linalg.qr(noise(5, 5, seed + 1))
    grams = {0: Grams.of_states([states]), 1: Grams.of_states([scale * states @ turn])}
    table = measure(grams, ["s"], ANGULAR)
    by = ["metric", "variant"]
    wide = table.pivot_table(index=by, columns="layer", values="value", observed=True)
    assert np.allclose(wide[0], wide[1], rtol=0, atol=1e-7)


class TestSentencesThatHaveNoValue:
    def test_every_variant_gives_a_number_or_nothing_for_the_shortest(self):
        states = [noise(1, 4), noise(2, 4), np.zeros((3, 4)), np.ones((4, 4))]
        grams = {layer: Grams.of_states(states) for layer in (0, 1)}
        with np.errstate(all="raise"):
            table = measure(grams, list("abcd"), names())
        assert not np.isinf(table["value"]).any()

    def test_too_short_is_counted_and_left_out_of_the_mean(self):
        states = [noise(1, 4), noise(2, 4), noise(5, 4), noise(6, 4, 1)]
        grams = {0: Grams.of_states(states)}
        table = measure(grams, list("abcd"), {"curvature": ["hosseini"]})
        row = summarize(table).iloc[0]
        curvatures = [value(s, "curvature", "hosseini") for s in states[2:]]
        assert (row["n"], row["n_undefined"], row["n_nonfinite"]) == (2, 2, 0)
        assert row["mean"] == pytest.approx(np.mean(curvatures))
        assert row["sd"] == pytest.approx(np.std(curvatures, ddof=1))

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_diverged_activations_are_counted_by_layer(self, bad):
        good = [noise(5, 4, seed) for seed in range(4)]
        broken = [tokens.copy() for tokens in good]
        broken[1][2, 3] = bad
        with np.errstate(invalid="ignore"):
            grams = {
                0: Grams.of_states(good),
                1: Grams.of_states(broken),
                2: Grams.of_states([np.full((5, 4), bad)] * 4),
            }
        asked = {
            "entropy": ["raw", "clamped-drop1"],
            "curvature": ["hosseini", "hosseini-from1"],
        }
        table = summarize(measure(grams, list("abcd"), asked))
        change = table["variant"] == "hosseini-from1"
        rows = table[~change].groupby("layer")[["n", "n_undefined", "n_nonfinite"]].agg(set)
        assert rows.loc[0].tolist() == [{4}, {0}, {0}]
        assert rows.loc[1].tolist() == [{3}, {0}, {1}]
        assert rows.loc[2].tolist() == [{0}, {0}, {4}]
        # Without the layer it is measured from, a change is not known either.
        assert table[change].set_index("layer")["n_nonfinite"].tolist() == [1, 1, 4]
        means = table.set_index("layer")["mean"]
        assert means.loc[[0, 1]].notna().all()
        assert means.loc[[2]].isna().all()

    def test_finite_sentences_of_a_broken_layer_keep_their_values(self):
        states = [noise(5, 4), np.full((5, 4), np.nan)]
        table = measure({0: Grams.of_states(states)}, ["a", "b"], {"entropy": ["raw"]})
        assert table["value"].iloc[0] == pytest.approx(value(states[0], "entropy", "raw"))
        assert np.isinf(table["value"].iloc[1])


def test_table_is_tidy_and_small_stacks_change_nothing(monkeypatch):
    lengths = [4, 7, 4, 4, 9, 7]
    grams = {k: Grams.of_states([noise(n, 5, n + k) for n in lengths]) for k in (0, 1)}
    asked = {"entropy": ["raw", "centred"], "curvature": ["hosseini-from0"]}
    items = [f"s{i}" for i in range(6)]
    table = measure(grams, items, asked)
    assert list(table) == ["item_id", "layer", "metric", "variant", "value"]
    assert len(table) == 3 * 2 * 6
    assert not table.duplicated(["item_id", "layer", "metric", "variant"]).any()
    monkeypatch.setattr(measuring, "STACK", 1)
    assert measure(grams, items, asked).equals(table)
    with pytest.raises(ValueError, match="5 item_ids for Grams of 6"):
        measure(grams, items[:5], asked)


class TestRegistry:
    def test_headline_names_are_known(self):
        assert names()["entropy"][0] == "raw"
        assert names()["curvature"][0] == "hosseini"

    def test_every_name_is_defined_in_the_documentation(self):
        page = (Path(__file__).parents[3] / "docs" / "geometry.md").read_text(encoding="utf-8")
        for name, variants in names().items():
            assert f"| `{name}` |" in page
            for part in {part for v in variants for part in re.findall(r"per-\w+|[^-]+", v)}:
                assert f"`{part}`" in page or f"`-{part}`" in page

    def test_unknown_names_say_what_was_meant(self):
        grams = {0: Grams.of_states([noise(3, 3)])}
        with pytest.raises(InputError, match=r"no metric `entropi`; did you mean `entropy`\?"):
            measure(grams, ["s"], {"entropi": ["raw"]})
        with pytest.raises(InputError, match=r"no variant `hoseini` of `curvature`; did you"):
            measure(grams, ["s"], {"curvature": ["hoseini"]})
        with pytest.raises(InputError, match=r"there are `raw`, `raw-drop1`$"):
            measure(grams, ["s"], {"path_length": ["zzz"]})

    @pytest.fixture
    def clean_registry(self, monkeypatch):
        names()
        copy = {name: dict(variants) for name, variants in registry.REGISTRY.items()}
        monkeypatch.setattr(registry, "REGISTRY", copy)
        monkeypatch.setattr(registry, "SETS", dict(registry.SETS))
        monkeypatch.setattr(plugins, "_loaded", {})

    def test_plugin_is_one_function_in_a_file(self, tmp_path, clean_registry):
        plugin = tmp_path / "mine.py"
        plugin.write_text(
            "from geomod.geometry.registry import metric\n\n"
            '@metric("spread")\n'
            "def spread(gram):\n"
            "    return gram.diagonal(axis1=1, axis2=2).std(axis=1)\n"
        )
        assert load_plugins(plugin) == load_plugins(plugin) == {"spread": ["raw"]}
        assert names()["spread"] == ["raw"]
        expected = np.std([1.0, 4.0, 9.0])
        assert value(np.diag([1.0, 2.0, 3.0]), "spread", "raw") == pytest.approx(expected)

    def test_plugin_with_a_name_that_is_taken(self, tmp_path, clean_registry):
        plugin = tmp_path / "mine.py"
        plugin.write_text(
            "from geomod.geometry.registry import metric\n\n"
            '@metric("entropy", "raw")\n'
            "def entropy(gram):\n"
            "    return gram[:, 0, 0]\n"
        )
        with pytest.raises(InputError, match="entropy/raw is registered twice"):
            load_plugins(plugin)

    def test_plugin_that_gives_the_wrong_shape(self, tmp_path, clean_registry):
        plugin = tmp_path / "mine.py"
        plugin.write_text(
            "from geomod.geometry.registry import metric\n\n"
            '@metric("norms")\n'
            "def norms(gram):\n"
            "    return gram.diagonal(axis1=1, axis2=2)\n"
        )
        load_plugins(plugin)
        with pytest.raises(InputError, match=r"norms/raw gave an array of shape \(1, 3\)"):
            value(np.eye(3), "norms", "raw")

    def test_plugin_that_is_not_there(self, tmp_path):
        with pytest.raises(InputError, match=r"absent\.py: there is no such file"):
            load_plugins(tmp_path / "absent.py")
        (tmp_path / "notes.txt").write_text("spread")
        with pytest.raises(InputError, match="this is no Python file"):
            load_plugins(tmp_path / "notes.txt")

    def test_a_measure_of_a_set_is_a_function_and_a_line_too(self, tmp_path, clean_registry):
        plugin = tmp_path / "mine.py"
        plugin.write_text(
            "from geomod.geometry.registry import of_set\n\n"
            '@of_set("spread", "of-norms")\n'
            "def spread(sentences):\n"
            "    return (sentences.rows**2).sum(axis=1).std()\n"
        )
        assert load_plugins(plugin) == {}
        rows = noise(20, 6)
        found = measure_population({3: rows}).set_index(["metric", "variant"]).loc["spread"]
        expected = np.square(rows).sum(axis=1).std()
        assert found["value"].item() == pytest.approx(expected)
        assert (found.index.item(), found["layer"].item(), found["n"].item()) == ("of-norms", 3, 20)
        with pytest.raises(InputError, match="spread/of-norms of a set is registered twice"):
            load_plugins(plugin.rename(tmp_path / "again.py"))

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("def spread(", r"mine\.py: .* \(mine\.py, line 1\)"),
            ("import absent_module", r"mine\.py: No module named 'absent_module'"),
            ("spread = 1", r"mine\.py: no function stands under `@metric`"),
        ],
    )
    def test_plugin_that_cannot_be_run(self, tmp_path, clean_registry, text, words):
        (tmp_path / "mine.py").write_text(text)
        with pytest.raises(InputError, match=words):
            load_plugins(tmp_path / "mine.py")


class TestLeftOut:
    def table(self, **columns):
        rows = {"model": "a", "step": [1, 1, 2], "layer": [0, 1, 1], "variant": "raw"}
        rows |= {"metric": "entropy", "n": 10, "n_undefined": 0, "n_nonfinite": 0}
        return pd.DataFrame({**rows, **columns})

    def test_nothing_is_said_where_nothing_is_missing(self):
        assert left_out(self.table()) == []

    def test_a_line_a_checkpoint_that_is_not_finite(self):
        (line,) = left_out(self.table(n=[10, 7, 10], n_nonfinite=[0, 3, 0]))
        assert line.startswith(
            "a, step 1: activations are not finite in layers 1, for up to 3 of 10"
        )

    def test_a_line_a_variant_that_is_not_defined(self):
        (line,) = left_out(self.table(n=[10, 8, 9], n_undefined=[0, 2, 1]))
        assert line.startswith("entropy (raw) is not defined for up to 2 of 10 sentences")


def test_curvature_of_states_says_what_it_takes() -> None:
    x = np.random.default_rng(0).normal(size=(7, 5))
    with pytest.raises(InputError, match=r"what `displacements` makes of Grams, not ndarray") as e:
        curvature(x)  # type: ignore[arg-type]
    assert "geomod.geometry.curvature(x)" in str(e.value)
    steps = np.diff(x, axis=0)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    angle = np.arccos((steps[1:] * steps[:-1]).sum(axis=1)).mean()
    found = curvature(displacements((x @ x.T)[None], x.shape[1], first=0))
    np.testing.assert_allclose(found, angle)
