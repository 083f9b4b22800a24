"""One factorization for both loops gives what one a fold does, and says where it does not apply."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from geomod.ridge import both_loops, engine
from geomod.ridge.banded import ladder
from geomod.ridge.both_loops import BothLoops, leave_out_alike
from geomod.ridge.delays import Delays
from geomod.ridge.engine import Encoding, encode
from geomod.ridge.factor import Factor, factorize
from geomod.ridge.folds import inner_blocks, outer_folds
from geomod.ridge.held_out import spectral_weights
from geomod.ridge.sides import standardized
from tests.unit.ridge.story_oracle import nested

ALPHAS = np.logspace(-1, 5, 7)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many targets were fitted by one factorization, each time that happened."""
    made: list[int] = []
    compare = BothLoops.compare

    def noted(self: BothLoops, *given: Any) -> Any:
        if torch.float64 not in given:  # in which some penalties are compared once more
            made.append(self.y.shape[1])
        return compare(self, *given)

    monkeypatch.setattr(BothLoops, "compare", noted)
    return made


def fold_by_fold(*given: Any, **how: Any) -> Encoding:
    """The same where every fold is factorized by itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "leave_out_alike", lambda *_: False)
        return encode(*given, **how)


def stories(
    lengths: tuple[int, ...], width: int, targets: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Names, features that drift, and responses that follow some of them; the last is constant."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((sum(lengths), width)) / np.arange(1, width + 1)
    for t in range(1, len(x)):
        x[t] += 0.8 * x[t - 1]
    y = np.roll(x, 1, axis=0) @ rng.standard_normal((width, targets))
    y += rng.standard_normal(y.shape) * y.std(axis=0)
    y[:, -1] = 3.0
    return np.repeat(np.arange(len(lengths)), lengths), x, y


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(
    lengths=st.lists(st.integers(8, 20), min_size=3, max_size=5).map(tuple),
    delays=st.sampled_from([(1,), (0, 2), (1, 2, 3, 4)]),
    trim=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    width=st.integers(21, 60),
    targets=st.sampled_from([1, 2, 7, 130]),
    layers=st.integers(1, 2),
)
def test_any_stories_are_scored_as_fold_by_fold(
    lengths: tuple[int, ...],
    delays: tuple[int, ...],
    trim: tuple[int, int],
    width: int,
    targets: int,
    layers: int,
) -> None:
    names, x, y = stories(lengths, width, targets, seed=sum(lengths))
    how: dict[str, Any] = {
        "alphas": ALPHAS,
        "folds": len(lengths),
        "inner_folds": "loo",
        "delays": Delays(names, delays, trim),
        "permutations": 2,
        "keep_predictions": True,
    }
    layered = np.stack([x, x[::-1]])[:layers]
    found, explicit = encode(layered, y, **how), fold_by_fold(layered, y, **how)
    alike = found.alpha == explicit.alpha
    assert alike.mean() > 0.99
    # The fold by fold way computes more targets than rows in float32.
    tolerance = 1e-9 if targets < 100 else 1e-4
    assert_allclose(found.r[alike], explicit.r[alike], atol=tolerance)
    assert_allclose(found.r2[alike], explicit.r2[alike], atol=tolerance)
    assert found.constant == explicit.constant
    for name, atol in (("null", 1e-4), ("predictions", tolerance)):
        if alike.all():
            assert_allclose(getattr(found, name), getattr(explicit, name), atol=atol)


@pytest.mark.parametrize("targets", [4, 150])
@pytest.mark.parametrize("by_story", [True, False])
def test_it_is_what_refits_by_scikit_learn_give(
    targets: int, by_story: bool, calls: list[int]
) -> None:
    """Groups of several stories, too, whose responses have means of their own."""
    lengths = (20, 31, 24, 28)
    names, x, y = stories(lengths, 40, targets)
    groups = names if by_story else np.array([0, 1, 2, 2])[names]
    rows = Delays(names, (1, 2))
    count = len(np.unique(groups))
    how: dict[str, Any] = {"alphas": ALPHAS, "folds": count, "inner_folds": "loo", "delays": rows}
    how |= {"groups": groups, "permutations": 2}
    cut: dict[str, Any] = {"scheme": "grouped", "groups": groups}
    with pytest.MonkeyPatch.context() as patch:
        # Responses that are not centred within each part: an intercept then counts in every fit.
        patch.setattr(Delays, "responses", lambda self, y, precision: y.astype(np.float64))
        found, explicit = encode(x, y, **how), fold_by_fold(x, y, **how)
    assert calls == [targets]
    outer = outer_folds(len(y), count, 0, **cut)
    inner = []
    for train, _ in outer:
        blocks = inner_blocks(train, "loo", 0, **cut)
        inner.append([(np.delete(train, b.rows), train[b.rows]) for b in blocks])
    with np.errstate(invalid="ignore"):
        r, alpha = nested(rows.matrix(x), y, ALPHAS, outer, inner)
    assert_array_equal(found.alpha[0, :, :-1], alpha[:, :-1])
    assert_allclose(found.r[0, :, :-1], r[:, :-1], atol=1e-9)
    assert_array_equal(found.r[0, :, -1], 0.0)  # a constant response
    assert found.null is not None
    assert_allclose(found.null, explicit.null, atol=1e-5)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(
    lengths=st.lists(st.integers(8, 20), min_size=3, max_size=5).map(tuple),
    delays=st.sampled_from([(1,), (0, 2), (1, 2, 3, 4)]),
    columns=st.sampled_from([1, 3, 70]),  # narrow, and wider than there are rows
    own=st.booleans(),  # whether every layer has a baseline of its own
    flat=st.booleans(),  # whether a layer does not vary
)
def test_ladders_are_climbed_as_fold_by_fold(
    lengths: tuple[int, ...], delays: tuple[int, ...], columns: int, own: bool, flat: bool
) -> None:
    names, x, y = stories(lengths, 30, 5, seed=sum(lengths))
    rng = np.random.default_rng(columns)
    beside = rng.standard_normal((2 if own else 1, len(x), columns))
    y += np.roll(beside[0], 1, axis=0) @ rng.standard_normal((columns, 5)) / columns**0.5
    layers = np.stack([x, np.ones_like(x) if flat else x[::-1]])
    told = Delays(names, delays)
    how: dict[str, Any] = {"alphas": ALPHAS, "folds": len(lengths), "inner_folds": "loo"}
    with pytest.MonkeyPatch.context() as patch:
        climbed = ladder(beside, layers, y, delays=told, **how)
        patch.setattr(engine, "leave_out_alike", lambda *_: False)
        explicit = ladder(beside, layers, y, delays=told, **how)
    # Beside nothing, α and β are one penalty: many pairs of them are the same model.
    some = slice(0, 1) if flat else slice(None)
    for rung in explicit.r:
        assert_array_equal(climbed.alpha[rung][some], explicit.alpha[rung][some])
        assert_allclose(climbed.r[rung], explicit.r[rung], atol=1e-9)
        assert_allclose(climbed.r2[rung], explicit.r2[rung], atol=1e-9)
    assert_array_equal(climbed.balance[some], explicit.balance[some])


def test_what_knows_both_loops_is_asked_for_them_alone(calls: list[int]) -> None:
    names, x, y = stories((20, 20, 20), 30, 3)
    how: dict[str, Any] = {"folds": 3, "inner_folds": "loo", "delays": Delays(names, (1,))}
    rate = np.random.default_rng(0).standard_normal((60, 1))
    ladder(rate, x, y, **how)
    assert calls == [3]
    ladder(np.hstack([rate] * 40), x, y, **how)
    assert calls == [3, 3, 3, 3, 3]  # the layer, two β, the baseline alone


def test_features_that_do_not_vary_predict_nothing(calls: list[int]) -> None:
    names, x, y = stories((20, 20, 20), 30, 3)
    how: dict[str, Any] = {"folds": 3, "inner_folds": "loo", "delays": Delays(names, (1,))}
    found, explicit = encode(np.ones_like(x), y, **how), fold_by_fold(np.ones_like(x), y, **how)
    assert_array_equal(found.alpha, explicit.alpha)
    assert not found.r.any()
    assert calls == [3]


def test_a_target_or_features_that_vary_in_one_story_alone_explain_nothing(
    calls: list[int],
) -> None:
    names, x, y = stories((20, 20, 20), 30, 3)
    y[names > 0, 0] = 0.0
    how: dict[str, Any] = {"alphas": ALPHAS, "folds": 3, "inner_folds": "loo"}
    how["delays"] = Delays(names, (1,))
    for features in (x, np.where(names[:, None] == 0, x, 1.0)):
        found, explicit = encode(features, y, **how), fold_by_fold(features, y, **how)
        assert_array_equal(found.alpha, explicit.alpha)
        assert_allclose(found.r, explicit.r, atol=1e-9)
        assert found.constant == explicit.constant
    assert len(calls) == 2


def test_responses_that_are_missing_are_told_as_ever() -> None:
    names, x, y = stories((20, 20, 20), 30, 3)
    y[25, 1] = np.nan
    with pytest.raises(ValueError, match="column 1 is not at row 25, TR 5 of story 1"):
        encode(x, y, folds=3, inner_folds="loo", delays=Delays(names, (1,)))


@pytest.mark.parametrize("width", [60, 200])  # the latter spans all rows with the constant
def test_no_sum_in_float32_is_further_off_than_it_says(width: int) -> None:
    """Penalties from next to none to next to infinite, features of a steep spectrum."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((120, width)) * np.logspace(0, -3, width)
    everything = np.arange(120), np.arange(1)
    factor = factorize(standardized(x, everything, scale=False)[0])
    assert factor.is_full == (width == 200)
    y = torch.as_tensor(x @ rng.standard_normal((width, 50)) + rng.standard_normal((120, 50)))
    y -= y.mean(dim=0)
    parts = [slice(0, 30), slice(30, 75), slice(75, 120)]
    rest, weights = spectral_weights(factor, torch.logspace(-7, 6, 27, dtype=torch.float64))
    told = []
    for k in range(27):
        found = []
        for dtype in (torch.float32, torch.float64):
            u, rows, of_rest, w = (a.to(dtype) for a in (factor.u, y, rest[k], weights[k]))
            found.append(both_loops._errors(u, rows, u.T @ rows, of_rest, w, parts))
        (single, off), (double, _) = found
        known = ~single.isnan()
        assert ((single - double).abs() <= off * single)[known].all()
        told.append(off)
    assert min(told) < 1e-6  # says something, where penalties are strong


@pytest.mark.parametrize("few", [0, 100])
def test_what_float32_leaves_open_is_decided_in_float64(
    few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, x, y = stories((30, 30, 30), 40, 6)
    by_pairs, at_once = [], []
    exact, compare = both_loops.held_out_gains, BothLoops.compare

    def noted(factor: Factor, y: torch.Tensor, *given: Any) -> Any:
        by_pairs.append(y.shape[1])
        return exact(factor, y, *given)

    def compared(self: BothLoops, *given: Any) -> Any:
        at_once.append(torch.float64 in given)
        return compare(self, *given)

    monkeypatch.setattr(both_loops, "held_out_gains", noted)
    monkeypatch.setattr(BothLoops, "compare", compared)
    monkeypatch.setattr(both_loops, "FEW", few)
    alphas = np.sort(np.r_[ALPHAS, ALPHAS * (1 + 1e-9)])  # no float32 tells these pairs apart
    how: dict[str, Any] = {"alphas": alphas, "folds": 3, "inner_folds": "loo"}
    how["delays"] = Delays(names, (1, 2))
    assert_array_equal(encode(x, y, **how).alpha, fold_by_fold(x, y, **how).alpha)
    if few:
        assert by_pairs == [5, 5, 5]  # all but the constant one, in every fold
    else:
        assert at_once == [False, True]
        assert not by_pairs


def test_nothing_is_in_doubt_of_responses_that_do_not_vary(calls: list[int]) -> None:
    names, x, y = stories((20, 20, 20), 40, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(both_loops, "held_out_gains", None)
        how: dict[str, Any] = {"folds": 3, "inner_folds": "loo", "delays": Delays(names, (1,))}
        assert not encode(x, np.full_like(y, 3.0), **how).r.any()
    assert calls == [3]


def test_no_number_depends_on_how_many_cores_there_are(calls: list[int]) -> None:
    names, x, y = stories((30, 25, 30), 40, 6)
    layers, threads = np.stack([x, x[::-1], 2 * x]), torch.get_num_threads()
    how: dict[str, Any] = {"folds": 3, "inner_folds": "loo", "delays": Delays(names, (1, 2))}
    found = []
    try:
        for cores in (1, 2):
            torch.set_num_threads(cores)
            found += [encode(layers, y, **how), encode(layers[:1], y, **how)]
    finally:
        torch.set_num_threads(threads)
    assert len(calls) == 8
    for one, two in (found[::2], found[1::2]):
        assert_array_equal(one.r, two.r)
    assert_array_equal(found[0].r[:1], found[1].r)


@pytest.mark.parametrize(
    "how",
    [
        {"inner_folds": 2},  # two of the four stories left at a time
        {"folds": 3, "inner_folds": 3},
        {"match_width": 5},
        {"beside": lambda fitted: None},
        {"scheme": "contiguous", "gap": 2, "folds": 3, "inner_folds": 3},
        {"scheme": "contiguous", "gap": 0, "folds": 3, "inner_folds": 3},
        {"scheme": "shuffled"},
    ],
)
def test_other_folds_and_fits_beside_are_made_fold_by_fold(
    how: dict[str, Any], calls: list[int]
) -> None:
    names, x, y = stories((20, 20, 20, 20, 20), 40, 2)
    told: dict[str, Any] = {"folds": 5, "inner_folds": 4, "delays": Delays(names, (1,)), **how}
    encode(x, y, **told)
    assert not calls


def test_few_columns_are_fitted_fold_by_fold(calls: list[int]) -> None:
    names, x, y = stories((20, 20, 20), 10, 2)
    how: dict[str, Any] = {"folds": 3, "inner_folds": 2}
    encode(x, y, delays=Delays(names, (1, 2)), **how)
    assert not calls
    encode(x, y, delays=Delays(names, (1, 2, 3)), **how)
    assert calls == [2]


def test_loops_are_alike_where_both_leave_out_the_same_parts_of_all_rows() -> None:
    groups = np.repeat(np.arange(4), 5)
    cut: dict[str, Any] = {"scheme": "grouped", "groups": groups}
    splits = outer_folds(20, 4, 0, **cut)
    inner = [inner_blocks(train, "loo", 0, **cut) for train, _ in splits]
    assert leave_out_alike(splits, inner, 20)
    backwards = [(train[::-1], test[::-1]) for train, test in splits]
    of_those = [
        inner_blocks(train, 3, 0, scheme="grouped", groups=groups) for train, _ in backwards
    ]
    assert leave_out_alike(backwards, of_those, 20)
    assert not leave_out_alike(splits, inner, 21)  # a row in no fold
    assert not leave_out_alike(splits[:3], inner[:3], 20)
    assert not leave_out_alike(splits[:3] + splits[:1], inner[:3] + inner[:1], 20)
    single = [inner_blocks(train, 5, 0) for train, _ in splits]
    assert not leave_out_alike(splits, single, 20)
