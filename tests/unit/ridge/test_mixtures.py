"""Mixtures of a few columns are fitted as they would be one by one."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from geomod.ridge import blas
from geomod.ridge.engine import encode
from geomod.ridge.factor import factorize
from geomod.ridge.fits import Fitted
from geomod.ridge.folds import inner_blocks
from geomod.ridge.held_out import held_out_gains
from geomod.ridge.mixtures import Mixtures, apart, fit_mixtures, moments, saved

N, PARTS, SIGNALS, NOISES = 60, 3, 4, 5
ALPHAS = np.logspace(-2, 7, 7)  # as far apart as those of mixtures are


@pytest.fixture(params=["on a CPU", "as on a GPU"])
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "as on a GPU":
        monkeypatch.setattr(blas, "serves", lambda a: False)
    return request.param


def made(x: np.ndarray) -> Mixtures:
    """Signals are what the features predict, and one is nothing; every pair with each noise."""
    rng = np.random.default_rng(1)
    parts = x @ rng.standard_normal((x.shape[1], PARTS)) / x.shape[1] ** 0.5 + 3.0
    mix = rng.standard_normal((PARTS, SIGNALS))
    mix[:, -1] = 0
    noises = rng.uniform(0.3, 2.0, NOISES) * rng.standard_normal((N, NOISES))
    signal, noise = np.indices((SIGNALS, NOISES + 3)).reshape(2, -1)  # that of none is the last
    averages = [[0, 1], [2, 1]]
    noises = np.hstack([noises, noises[:, averages].mean(axis=2)])
    given = (torch.as_tensor(values) for values in (parts, mix, noises, averages, signal, noise))
    return Mixtures(*given)


def dense(mixtures: Mixtures) -> np.ndarray:
    none = torch.zeros(N, 1)
    noises = torch.cat([mixtures.noises, none], dim=1)
    signals = mixtures.parts @ mixtures.mix
    return (signals[:, mixtures.signal] + noises[:, mixtures.noise]).numpy()


# Fewer features than a block has rows; more; so many that a fit may interpolate; as many as rows
# that are fitted; more than rows.
@pytest.mark.parametrize("width", [4, 20, 45, 47, 150])
@pytest.mark.parametrize("inner", [4, "loo"])
def test_mixtures_are_fitted_as_their_responses_are(where: str, width: int, inner: object) -> None:
    x = np.random.default_rng(0).standard_normal((N, width))
    mixtures, found = made(x), []
    told = {"alphas": ALPHAS, "folds": 4, "inner_folds": inner, "seed": 0}

    def beside(fitted: Fitted) -> None:
        found.append(fit_mixtures(fitted, mixtures))

    encode(x, np.random.default_rng(2).standard_normal(N), beside=beside, **told)  # type: ignore[arg-type]
    alone = encode(x, dense(mixtures), **told)  # type: ignore[arg-type]
    varies = dense(mixtures).std(axis=0) > 0
    r, alpha = np.array(found).swapaxes(0, 1)
    assert_array_equal(alpha[:, varies], alone.alpha[0][:, varies])
    assert_allclose(r, alone.r[0], atol=2e-5)
    assert not r[:, ~varies].any()


@pytest.mark.parametrize("width", [4, 20])
def test_noise_alone_is_fitted_without_parts(width: int) -> None:
    rng = np.random.default_rng(0)
    x, noises = rng.standard_normal((N, width)), rng.standard_normal((N, NOISES))
    none, each, no_mean = torch.zeros(0, 1), torch.arange(NOISES), torch.zeros(0, 2, dtype=int)
    alone = Mixtures(torch.zeros(N, 0), none, torch.as_tensor(noises), no_mean, 0 * each, each)
    nothing = Mixtures(torch.zeros(N, 0), none, torch.zeros(N, 0), no_mean, each[:0], each[:0])
    found = []

    def beside(fitted: Fitted) -> None:
        found.append([fit_mixtures(fitted, mixtures)[0] for mixtures in (alone, nothing)])

    encode(x, noises[:, 0], alphas=ALPHAS, beside=beside)
    r = encode(x, noises, alphas=ALPHAS).r[0]
    assert_allclose([of_alone for of_alone, _ in found], r, atol=2e-5)
    assert not any(len(of_nothing) for _, of_nothing in found)


def test_an_average_follows_from_its_members_or_is_solved_for_itself() -> None:
    mixtures = made(np.random.default_rng(0).standard_normal((N, 4)))  # noises 5 and 6 are means
    solved, members = mixtures.following(torch.arange(NOISES + 2))
    assert (solved.tolist(), members.tolist()) == ([0, 1, 2, 3, 4], [[0, 1], [2, 1]])
    solved, members = mixtures.following(torch.tensor([1, 2, 4, 6]))
    assert (solved.tolist(), members.tolist()) == ([1, 2, 4], [[1, 0]])
    some = torch.tensor([1, 4, 6])
    solved, members = mixtures.following(some)
    assert solved is some
    assert not len(members)


@pytest.mark.parametrize("left", [[0, 1, 2, 3, 4, 5, 6], [1, 2, 4, 6], [1, 4, 6]])
@pytest.mark.parametrize("width", [4, 20])
def test_what_some_noises_save_does_not_depend_on_which_are_left(
    where: str, width: int, left: list[int]
) -> None:
    x = np.random.default_rng(0).standard_normal((N, width))
    mixtures, responses = made(x), dense(made(x))
    some = mixtures.only(torch.isin(mixtures.noise, torch.tensor(left)))
    y = torch.as_tensor(responses[:, torch.isin(mixtures.noise, torch.tensor(left)).numpy()])
    factor, alphas = factorize(torch.as_tensor(x - x.mean(axis=0))), torch.as_tensor(ALPHAS)
    columns, blocks = mixtures.on(np.arange(N), torch.float64), inner_blocks(np.arange(N), 4, 0)
    z = moments(columns, factor.u, blocks)
    found = saved(factor, some, columns, z, alphas, blocks)
    expected = held_out_gains(factor, y - y.mean(dim=0), alphas, blocks).saved
    tried = found > -torch.inf
    assert tried[-4:].all()
    assert_allclose(found[tried], expected[tried], atol=1e-8)


def test_penalties_of_mixtures_are_far_enough_apart_from_the_largest_on() -> None:
    assert apart(torch.logspace(-2, 8, 21)) == list(range(2, 21, 3))
    assert apart(torch.as_tensor(ALPHAS)) == list(range(7))
    assert apart(torch.as_tensor([1.0, 2.0])) == [1]


@pytest.mark.parametrize("inner", [5, "loo"])
def test_features_that_do_not_vary_explain_no_mixture(inner: int | str) -> None:
    mixtures, found = made(np.random.default_rng(0).standard_normal((N, 6))), []
    encode(
        np.ones((N, 6)),
        np.arange(float(N)),
        inner_folds=inner,  # type: ignore[arg-type]
        beside=lambda fitted: found.append(fit_mixtures(fitted, mixtures)[0]),
    )
    assert not np.array(found).any()
