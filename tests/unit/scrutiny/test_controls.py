"""Responses with known answers: their noise, what they are made of, and what comes back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from geomod.base.errors import InputError
from geomod.brain.responses import AVERAGE
from geomod.claims.claim import Truth
from geomod.curves.settings import Settings
from geomod.encoding.controls import NOISE_FREE, Beside, Controls
from geomod.encoding.scores import encode_checkpoint
from geomod.encoding.settings import Settings as Encoding
from geomod.ridge.banded import ladder
from geomod.ridge.engine import encode
from geomod.scrutiny.comeback import (
    COLUMNS,
    Fits,
    recovered,
    recovered_profiles,
    sentences_on,
    summary,
    together,
)
from geomod.scrutiny.controls import OWN, make_controls
from geomod.scrutiny.noise import Noise, noise_of, regions_of
from geomod.scrutiny.signals import (
    Contrasts,
    contrasts_of,
    leading,
    own_signals,
    parts_of,
    smoother,
)
from geomod.scrutiny.synthetic import Design, Frame, Scatter, label_modules, simulate

REGIONS = ("AntTemp", "IFG", "netw")
STEPS = (0, 8, 64, 256, 512, 1024)
LAYERS, SENTENCES, WIDTH = 8, 160, 6
LOW, HIGH = range(5, 9), range(1, 5)
QUICK = Settings(permutations=199, bootstrap=40, null_draws=19)
FITS = Encoding(
    folds=4, inner_folds=3, group_by=None, seed=0, penalties=(-1, 4, 6), standardize=True,
    match_width=None,
)  # fmt: skip
STIMULI = pd.DataFrame(
    {
        "item_id": [f"s{i}" for i in range(SENTENCES)],
        "n_words": np.random.default_rng(5).integers(4, 15, SENTENCES),
        "n_characters": np.random.default_rng(6).integers(20, 90, SENTENCES),
    }
)


CONTRASTS = Contrasts(
    modules=dict.fromkeys(LOW, 0.25) | dict.fromkeys(HIGH, -0.25),
    curvature={1: -1.0, 8: 1.0},
)


def features_at(step: int) -> dict[int, np.ndarray]:
    """Two sets of latents: deep blocks learn the one, shallow blocks the other; both had a third
    from the start."""
    rng = np.random.default_rng(0)
    deep, shallow, first = rng.standard_normal((3, SENTENCES, WIDTH))
    learned = step / (step + 100)
    found = {0: np.zeros((SENTENCES, WIDTH))}
    for layer in (*HIGH, *LOW):
        own = deep if layer in LOW else shallow
        noise = np.random.default_rng([layer, step]).standard_normal((SENTENCES, WIDTH))
        mixed = learned * own + (1 - learned) * first + 0.3 * noise
        found[layer] = mixed.astype(np.float32)
    return found


def ceilings(**values: float) -> pd.DataFrame:
    """`region_participant=ceiling`."""
    rows = [(*name.split("_"), value) for name, value in values.items()]
    return pd.DataFrame(rows, columns=["region", "participant", "ceiling"])


BRAIN = pd.DataFrame(
    {
        "item_id": STIMULI["item_id"],
        "region": "netw",
        "participant": AVERAGE,
        "response": np.random.default_rng(3).standard_normal(SENTENCES),
    }
)
CEILING = ceilings(netw_average=0.5)
SCATTER = Scatter(0.1, 0.05, 0.05, 0.5, 0.0)
DESIGN = Design((Frame("toy-1", 1e6, STEPS, LAYERS),), REGIONS, 3, SCATTER, SCATTER, 0.1)


@pytest.fixture(scope="module")
def noise() -> Noise:
    return Noise(REGIONS, ("a", "b", "c"), np.full((3, 3), 0.8))


@pytest.fixture(scope="module")
def parts() -> dict[str, np.ndarray]:
    return parts_of(features_at(1024), features_at(8), CONTRASTS, STIMULI)


@pytest.fixture(scope="module")
def controls(noise: Noise, parts: dict[str, np.ndarray]) -> Controls:
    kinds = ["smooth", "rough", "early", "length", "null"]
    return make_controls(kinds, 2, parts, noise, seed=1, settings=QUICK)[0]


@pytest.fixture(scope="module")
def fits(controls: Controls) -> Fits:
    """Of all checkpoints of one model; beside the fits of a brain that answers to nothing."""
    found = {}
    for step in STEPS:
        beside = Beside(controls)
        encode_checkpoint(features_at(step), BRAIN, STIMULI, CEILING, FITS, beside=beside)
        found["toy-1", step] = beside.r
    return found


def test_noise_is_what_the_ceilings_say() -> None:
    table = ceilings(netw_a=0.5, netw_b=0.8, netw_average=0.9, IFG_a=np.nan, IFG_b=np.nan,
                     IFG_average=0.6, MFG_average=np.nan)  # fmt: skip
    found = noise_of(table, ["netw", "IFG", "MFG", "other"])
    assert found is not None
    assert (found.regions, found.participants) == (("netw", "IFG"), ("a", "b"))
    np.testing.assert_allclose(found.sd[:, 0] ** 2, [3, 1 / 0.64 - 1])
    np.testing.assert_allclose(found.ceilings[-1, 1], 0.6)
    given = noise_of(table, ["MFG"], given=0.4)
    assert given is not None
    np.testing.assert_allclose(given.ceilings[-1], 0.4)
    assert noise_of(table, ["MFG"]) is None
    alone = noise_of(ceilings(netw_average=0.7), ["netw"])
    assert alone is not None
    assert (alone.participants, alone.sd.shape) == ((), (1, 1))
    np.testing.assert_allclose(alone.ceilings[-1], 0.7)


def test_the_average_correlates_with_the_signal_by_its_ceiling() -> None:
    parts = {"length": np.random.default_rng(0).standard_normal((20000, 2))}
    noise = Noise(("netw",), ("a", "b", "c"), np.array([[0.5], [1.0], [2.0]]))
    made, _ = make_controls(["length"], 1, parts, noise, seed=0)
    columns = {name: made.matrix[:, i] for i, name in enumerate(made.targets["participant"])}
    r = np.corrcoef(columns[AVERAGE], columns[NOISE_FREE])[0, 1]
    assert r == pytest.approx(noise.ceilings[-1, 0], abs=0.01)
    one = np.corrcoef(columns["b"], columns[NOISE_FREE])[0, 1]
    assert one == pytest.approx(np.sqrt(0.5), abs=0.02)


def predicted(signals: np.ndarray, layers: list[np.ndarray]) -> float:
    """Share of the signals that ridges on these layers predict, mean over both."""
    shares = [(signals * (smoother(x) @ signals)).sum() / (signals**2).sum() for x in layers]
    return float(np.mean(shares))


def test_a_part_is_what_its_blocks_predict_and_the_others_do_not(
    parts: dict[str, np.ndarray],
) -> None:
    now, then = features_at(1024), features_at(8)
    low, high = ([now[layer] for layer in layers] for layers in (LOW, HIGH))
    assert predicted(parts["low"], low) > predicted(parts["low"], high) + 0.3
    assert predicted(parts["high"], high) > predicted(parts["high"], low) + 0.3
    everything = [now[layer] for layer in (*LOW, *HIGH)]
    early = [then[layer] for layer in (*LOW, *HIGH)]
    assert predicted(parts["early"], early) > 0.4
    assert predicted(parts["late"], everything) > predicted(parts["late"], early) + 0.2
    assert predicted(parts["straight"], [now[8]]) > predicted(parts["straight"], [now[1]]) + 0.2


def test_a_smoother_is_the_ridge_and_leading_signals_its_eigenvectors() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 5))
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    np.testing.assert_allclose(smoother(x), z @ np.linalg.inv(z.T @ z + 40 * np.eye(5)) @ z.T)
    best = leading(smoother(x))
    assert best.shape == (40, 5)  # no more than are predicted at all
    weights = np.linalg.eigvalsh(smoother(x))[-5:]
    np.testing.assert_allclose(best.T @ best, np.diag(weights**2), atol=1e-12)
    assert leading(np.zeros((40, 40))).shape == (40, 0)


def test_a_control_made_from_a_layer_is_found_in_that_layer(noise: Noise) -> None:
    layers = features_at(1024)
    for layer in (2, 7):
        others = [smoother(layers[k]) for k in range(1, LAYERS + 1) if k != layer]
        part = {"length": leading(smoother(layers[layer]) - np.mean(others, axis=0))}
        made, _ = make_controls(["length"], 1, part, noise, seed=0)
        stack = np.stack([layers[k] for k in range(1, LAYERS + 1)])
        found = encode(stack, made.matrix, alphas=FITS.alphas, folds=4, inner_folds=3, seed=0)
        average = (made.targets["participant"] == AVERAGE).to_numpy()
        assert found.score[:, average].mean(axis=1).argmax() + 1 == layer


def test_length_is_length_and_null_is_nothing(controls: Controls) -> None:
    free = controls.targets["participant"] == NOISE_FREE
    of = {kind: controls.matrix[:, free & (controls.targets["control"] == kind)]
          for kind in ("length", "null", "smooth")}  # fmt: skip
    lengths = np.column_stack([np.ones(SENTENCES), STIMULI[["n_words", "n_characters"]]])
    onto = lengths @ np.linalg.pinv(lengths)
    np.testing.assert_allclose(of["length"] - onto @ of["length"], 0, atol=1e-9)
    assert np.abs(of["smooth"] - onto @ of["smooth"]).max() > 0.5
    assert not of["null"].any()
    np.testing.assert_allclose(of["smooth"].std(axis=0), 1)


def test_length_has_no_unique_variance_over_the_length_baseline(controls: Controls) -> None:
    lengths = STIMULI[["n_words", "n_characters"]].to_numpy(dtype=float, copy=True)
    layers = np.stack([features_at(1024)[layer] for layer in LOW])
    kind, who = controls.targets["control"], controls.targets["participant"]
    unique = {}
    for name in ("length", "smooth"):
        responses = controls.matrix[:, (kind == name) & (who == AVERAGE)]
        given = (lengths, layers, responses)
        found = ladder(*given, alphas=FITS.alphas, folds=4, inner_folds=3, seed=0)
        unique[name] = found.unique.mean()
        assert name != "length" or found.score("baseline").min() > 0.5
    assert unique["length"] < 0.01
    assert unique["smooth"] > 0.3


def test_every_draw_and_region_has_a_signal_of_its_own(controls: Controls) -> None:
    free = (controls.targets["participant"] == NOISE_FREE).to_numpy()
    smooth = controls.matrix[:, free & (controls.targets["control"] == "smooth").to_numpy()]
    assert smooth.shape[1] == 2 * len(REGIONS)
    assert np.abs(np.corrcoef(smooth.T) - np.eye(6)).max() < 0.99


def test_fits_beside_are_those_made_alone(controls: Controls, fits: Fits) -> None:
    layers = np.stack([features_at(1024)[layer] for layer in range(LAYERS + 1)])
    given = {"alphas": FITS.alphas[1::2], "folds": 4, "inner_folds": 3}  # as far apart as theirs
    alone = encode(layers, controls.matrix, **given, seed=0)
    found = np.array([fits["toy-1", 1024][layer] for layer in range(LAYERS + 1)])
    np.testing.assert_allclose(found, alone.r, atol=1e-5)  # of many at once: float32


def test_a_control_is_found_where_it_was_made(controls: Controls, fits: Fits) -> None:
    average = controls.targets["participant"] == AVERAGE

    def score(control: str, step: int, layers: range) -> list[float]:
        columns = np.flatnonzero(average & (controls.targets["control"] == control))
        return [float(fits["toy-1", step][layer][:, columns].mean()) for layer in layers]

    assert min(score("smooth", 1024, LOW)) > max(score("smooth", 1024, HIGH)) + 0.2
    assert min(score("rough", 1024, HIGH)) > max(score("rough", 1024, LOW)) + 0.2
    everywhere = range(1, LAYERS + 1)
    assert np.abs(score("null", 1024, everywhere)).max() < 0.2
    assert np.mean(score("early", 8, everywhere)) > np.mean(score("early", 1024, everywhere)) + 0.2
    assert np.mean(score("smooth", 1024, LOW)) > np.mean(score("smooth", 0, LOW)) + 0.2


@pytest.fixture(scope="module")
def table(controls: Controls, fits: Fits, noise: Noise) -> pd.DataFrame:
    curves = simulate(DESIGN, Truth(separation=1.0), np.random.default_rng(0))
    return recovered(controls.targets, fits, curves, label_modules(curves), noise, QUICK)


def test_what_was_planted_comes_back(table: pd.DataFrame) -> None:
    assert list(table.columns) == COLUMNS
    assert not table.duplicated(["control", "draw", "claim"]).any()
    assert set(table["claim"]) == {2, 3, 4, 5}  # claim 1 does not depend on responses
    second = table[table["claim"] == 2].set_index("control")
    assert (second.loc["smooth", "planted"] > 0.1).all()
    assert (second.loc["rough", "planted"] < -0.1).all()
    assert (second.loc["smooth", "estimate"] > 0.1).all()
    # Noise-free scores times the ceiling: what noise leaves of them, but for the fit's own loss.
    np.testing.assert_allclose(
        second.loc["smooth", "estimate"], second.loc["smooth", "planted"], atol=0.15
    )
    null = table[table["control"] == "null"]
    assert (null["planted"] == 0).all()
    assert not (null["verdict"] == "supported").any()


def test_null_is_supported_no_more_often_than_its_level(noise: Noise) -> None:
    made = make_controls(["null"], 40, {"length": np.zeros((SENTENCES, 1))}, noise, seed=2)[0]
    fits = {}
    for step in STEPS:
        beside = Beside(made)
        encode_checkpoint(features_at(step), BRAIN, STIMULI, CEILING, FITS, beside=beside)
        fits["toy-1", step] = beside.r
    curves = simulate(DESIGN, Truth(separation=1.0), np.random.default_rng(0))
    found = recovered(made.targets, fits, curves, label_modules(curves), noise, QUICK)
    assert set(found["draw"]) == set(range(40))
    supported = (found["verdict"] == "supported").groupby(found["claim"]).sum()
    assert supported.max() <= binom.ppf(0.999, 40, 0.05)


def test_one_line_a_claim_says_what_was_found(table: pd.DataFrame) -> None:
    told = summary(table)
    assert (told["draws"] == 2).all()
    assert (told["recovered"] <= told["draws"]).all()
    assert told["coverage"].dropna().between(0, 1).all()
    rows = [
        ("smooth", draw, 2, 0.1, 0.1, 0.05, 0.15, "supported" if draw < 17 else "undecided", True)
        for draw in range(20)
    ] + [("null", draw, 2, 0.0, 0.0, -0.1, 0.1, "undecided", True) for draw in range(20)]
    ((claim, line),) = sentences_on(pd.DataFrame(rows, columns=COLUMNS))
    assert claim == 2
    assert line == (
        "On your features this test finds a planted effect of 0.1 (smooth) in 17 of 20 draws, "
        "and a null in 0 of 20."
    )


def test_controls_of_a_file_are_those_of_the_file(noise: Noise) -> None:
    own = pd.DataFrame({"response": np.arange(SENTENCES) ** 2.0})
    made, reasons = make_controls([OWN], 2, {}, noise, 0, own=own)
    assert not reasons
    free = made.matrix[:, made.targets["participant"] == NOISE_FREE]
    np.testing.assert_allclose(np.corrcoef(free[:, 0], own["response"])[0, 1], 1)
    np.testing.assert_array_equal(free, free[:, [0]] * np.ones(6))


def test_a_file_of_own_responses_is_read_in_the_order_of_the_sentences(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    rows = [f"{item},{i}" for i, item in enumerate(STIMULI["item_id"])]
    path.write_text("\n".join(["item_id,netw", *reversed(rows)]), encoding="utf-8")
    assert own_signals(path, STIMULI)["netw"].tolist() == list(range(SENTENCES))
    path.write_text("\n".join(["item_id,netw", *rows[:-2], "s158,much"]), encoding="utf-8")
    with pytest.raises(InputError, match=r"2 of 160 .* no number.*'s158' first"):
        own_signals(path, STIMULI)
    path.write_text("item_id\ns1", encoding="utf-8")
    with pytest.raises(InputError, match="no column of responses"):
        own_signals(path, STIMULI)


def test_a_kind_without_anything_to_make_it_from_is_skipped_with_a_reason(noise: Noise) -> None:
    parts = parts_of(features_at(1024), None, Contrasts(), STIMULI)
    made, reasons = make_controls(["smooth", "late", OWN, "null"], 1, parts, noise, 0)
    assert set(made.targets["control"]) == {"null"}
    assert reasons["smooth"] == "nothing to make it from: low"
    assert reasons["late"] == "nothing to make it from: late"
    assert "no file" in reasons[OWN]
    with pytest.raises(InputError, match="'smoth' is none of smooth"):
        make_controls(["smoth"], 1, parts, noise, 0)


def test_layers_that_are_not_finite_are_no_part_of_a_control(parts: dict[str, np.ndarray]) -> None:
    broken = features_at(1024)
    broken[5] = np.full_like(broken[5], np.nan)
    found = parts_of(broken, features_at(8), CONTRASTS, STIMULI)
    assert all(np.isfinite(part).all() for part in found.values())
    without_it = {layer: x for layer, x in features_at(1024).items() if layer != 5}
    expected = parts_of(without_it, features_at(8), CONTRASTS, STIMULI)
    np.testing.assert_allclose(found["low"], expected["low"])


def test_without_participants_the_average_alone_is_noisy(parts: dict[str, np.ndarray]) -> None:
    of_average = noise_of(ceilings(netw_average=0.5), ["netw"])
    assert of_average is not None
    made, _ = make_controls(["length"], 3, parts, of_average, seed=0)
    assert set(made.targets["participant"]) == {AVERAGE, NOISE_FREE}
    noise = made.matrix[:, made.targets["participant"] == AVERAGE]
    noise = noise - made.matrix[:, made.targets["participant"] == NOISE_FREE]
    assert noise.std() == pytest.approx(np.sqrt(1 / 0.5**2 - 1), rel=0.15)


def test_a_layer_that_is_not_finite_has_no_fit_of_a_control(
    controls: Controls, fits: Fits, noise: Noise
) -> None:
    broken = features_at(1024)
    broken[5] = np.full_like(broken[5], np.nan)
    beside = Beside(controls)
    encode_checkpoint(broken, BRAIN, STIMULI, CEILING, FITS, beside=beside)
    assert sorted(beside.r) == [layer for layer in range(LAYERS + 1) if layer != 5]
    np.testing.assert_allclose(beside.r[8], fits["toy-1", 1024][8])
    curves = simulate(DESIGN, Truth(separation=1.0), np.random.default_rng(0))
    first = controls.targets[controls.targets["draw"] == 0]
    told = {**fits, ("toy-1", 1024): beside.r}
    found = recovered(first, told, curves, label_modules(curves), noise, QUICK)
    assert found.loc[found["claim"] == 2, "estimate"].notna().all()


def test_two_steps_of_one_model_end_in_undecided(
    controls: Controls, fits: Fits, noise: Noise
) -> None:
    design = replace(DESIGN, frames=(Frame("toy-1", 1e6, (0, 1024), LAYERS),))
    curves = simulate(design, Truth(separation=1.0), np.random.default_rng(0))
    first = controls.targets[controls.targets["draw"] == 0]
    found = recovered(first, fits, curves, label_modules(curves), noise, QUICK)
    assert set(found.loc[found["claim"].isin([3, 5]), "verdict"]) == {"undecided"}
    alone = replace(noise, participants=(), sd=noise.sd[:1])
    again = recovered(first, fits, curves, label_modules(curves), alone, QUICK)
    assert len(again) == len(found)
    assert recovered(first.iloc[:0], {}, curves, pd.DataFrame(), noise, QUICK).empty


def test_the_regions_of_the_claims_are_those_that_count() -> None:
    measured = ["AntTemp", "IFG", "MFG", "netw"]
    assert regions_of(measured, QUICK) == ["AntTemp", "IFG", "netw"]
    assert regions_of(measured[:3], QUICK) == measured[:3]  # the network is their mean


def test_low_and_high_blocks_are_those_of_the_checkpoint() -> None:
    rows = [
        (layer, metric, variant, item, float(layer > 2) + 0.1 * item)
        for layer in range(6)
        for metric, variant in (("entropy", "raw"), ("curvature", "hosseini"))
        for item in range(3)
    ]
    geometry = pd.DataFrame(rows, columns=["layer", "metric", "variant", "item_id", "value"])
    variants = {"entropy": "raw", "curvature": "hosseini"}
    found = contrasts_of(geometry, variants)
    assert found.modules == pytest.approx({1: 0.5, 2: 0.5, 3: -1 / 3, 4: -1 / 3, 5: -1 / 3})
    assert sum(abs(weight) for weight in found.curvature.values()) == pytest.approx(2)
    assert found.curvature[2] > 0 > found.curvature[3]  # less, and more curved than a parabola
    assert contrasts_of(geometry.assign(value=np.nan), variants) == Contrasts()


def test_steps_and_slopes_as_wide_as_the_models_own_are_told_apart() -> None:
    scatter = Scatter(0.3, 0.05, 0.02, 0.5, 0.0)
    frames = tuple(Frame(f"toy-{n}", 10.0**n, (64, 256, 1024), 12) for n in (6, 7))
    design = Design(frames, REGIONS, 3, scatter, scatter, 0.1)
    curves = simulate(design, Truth(), np.random.default_rng(3))
    found = recovered_profiles(["stepped", "null", "graded"], 4, curves, pd.DataFrame(), QUICK)
    assert list(found.columns) == COLUMNS
    assert set(found["claim"]) == {1}
    supported = (found["verdict"] == "supported").groupby(found["control"]).sum()
    assert supported["stepped"] >= 3
    assert supported["graded"] == 0
    assert found.loc[found["control"] == "graded", "recovered"].all()
    assert found.loc[found["control"] == "stepped", "recovered"].sum() >= 3
    lines = dict(sentences_on(together(found, found.iloc[:0])))
    said = f"(stepped) in {supported['stepped']} of 4 draws, and a smooth profile in 0 of 4."
    assert said in lines[1]
    short = [replace(c, layers=c.layers[:3], metrics={k: v[:, :3] for k, v in c.metrics.items()})
             for c in curves]  # fmt: skip
    assert recovered_profiles(["stepped"], 1, short, pd.DataFrame(), QUICK).empty
