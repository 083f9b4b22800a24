"""A factor in float32 is used where it suffices, and what it leaves open is settled in float64."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from torch import Tensor

from geomod.ridge import factor
from geomod.ridge import held_out as smoother
from geomod.ridge.factor import Factor, factorize, solve
from geomod.ridge.fits import fit_fold
from geomod.ridge.folds import inner_blocks
from geomod.ridge.held_out import Unexplained, held_out_gains
from geomod.ridge.penalties import best_penalties
from geomod.ridge.scores import centred
from geomod.ridge.sides import RowSides

ALPHAS = torch.logspace(-2, 8, 21, dtype=torch.float64)


def training_rows(rows: int, width: int, decay: float = 0.0, seed: int = 0) -> Tensor:
    """Standardized rows whose singular values fall by `decay` decades, in float32's numbers."""
    rng = np.random.default_rng(seed)
    u, s, v = np.linalg.svd(rng.standard_normal((rows, width)), full_matrices=False)
    x = ((u * s * np.logspace(0, -decay, len(s))) @ v).astype(np.float32).astype(np.float64)
    return torch.from_numpy((x - x.mean(axis=0)) / x.std(axis=0))


def responses(x: Tensor, seed: int = 1) -> Tensor:
    """Targets from pure noise to hardly any."""
    rng = np.random.default_rng(seed)
    signal = x @ torch.from_numpy(rng.standard_normal((x.shape[1], 6))) / x.shape[1] ** 0.5
    strength = torch.tensor([0, 0.01, 0.1, 1.0, 10.0, 100.0], dtype=torch.float64)
    return centred(strength * signal + torch.from_numpy(rng.standard_normal((len(x), 6))))[0]


def forbidden() -> Factor:
    raise AssertionError("no choice depends on more precision")


@pytest.mark.parametrize("width", [120, 900])
def test_well_conditioned_rows_are_factorized_in_float32(width: int) -> None:
    x = training_rows(300, width)
    fast, exact = factorize(x, fast=True), factorize(x)
    assert not fast.is_exact
    assert exact.is_exact
    assert fast.s.shape == exact.s.shape
    torch.testing.assert_close(fast.s, exact.s, rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    ("rows", "width", "decay", "components"),
    [(300, 299, 0, None), (300, 900, 3, None), (300, 120, 3, None), (300, 900, 0, 50)],
)
def test_others_are_factorized_in_float64(
    rows: int, width: int, decay: float, components: int | None
) -> None:
    x = training_rows(rows, width, decay)
    assert factorize(x, components, fast=True).is_exact


def test_few_rows_are_factorized_in_float64() -> None:
    assert factorize(training_rows(200, 50), fast=True).is_exact


def test_repeated_columns_are_factorized_in_float64() -> None:
    x = training_rows(300, 60)
    assert factorize(torch.cat([x, x], dim=1), fast=True).is_exact


def test_no_float32_decomposition_is_wasted_on_an_empty_direction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A LayerNorm leaves one, if features are fewer than the rows."""
    tried, eigenpairs = [], factor._eigenpairs

    def noted(gram: Tensor) -> tuple[Tensor, Tensor]:
        tried.append(gram.dtype)
        return eigenpairs(gram)

    monkeypatch.setattr(factor, "_eigenpairs", noted)
    x = training_rows(400, 150)
    assert factorize(x - x.mean(dim=1, keepdim=True), fast=True).is_exact
    assert tried == [torch.float64]


@pytest.mark.parametrize(("width", "decay"), [(120, 0), (120, 1), (280, 0), (900, 0), (900, 1)])
def test_weights_are_those_of_the_normal_equations(width: int, decay: float) -> None:
    x = training_rows(300, width, decay)
    y, alphas = responses(x), torch.tensor([1e-2, 1.0, 30.0, 1e3, 1e5, 1e8], dtype=torch.float64)
    fast = factorize(x, fast=True)
    assert not fast.is_exact
    weights = solve(fast, x, y, alphas)
    for k, alpha in enumerate(alphas):
        normal = x.T @ x + alpha * torch.eye(width, dtype=torch.float64)
        expected = torch.linalg.solve(normal, x.T @ y[:, k])
        torch.testing.assert_close(weights[:, k], expected, rtol=1e-6, atol=1e-7 * expected.norm())


def test_weights_that_do_not_settle_are_an_error() -> None:
    x = training_rows(300, 120)
    fast = factorize(x, fast=True)
    wrong = Factor(fast.u, fast.s / 4, fast.vectors)  # every correction is four times too large
    with pytest.raises(ArithmeticError, match="after 50 rounds"):
        solve(wrong, x, responses(x)[:, :1], torch.tensor([1e-2], dtype=torch.float64))


@pytest.mark.parametrize("inner_folds", [5, "loo"])
@pytest.mark.parametrize("rows", [300, 800])
@pytest.mark.parametrize("width", [120, 280, 400, 750, 1000])
@pytest.mark.parametrize("decay", [0.0, 1.0, 2.0, 3.0])
def test_float32_errs_by_less_than_its_bound(
    inner_folds: int | str, rows: int, width: int, decay: float
) -> None:
    x = training_rows(rows, width, decay)
    y, blocks = responses(x), inner_blocks(np.arange(rows), inner_folds, 0)
    truth = held_out_gains(factorize(x), y, ALPHAS, blocks).saved
    rough = held_out_gains(factorize(x, fast=True), y, ALPHAS, blocks, dtype=torch.float32)
    assert ((rough.saved - truth).abs() <= rough.rounding + rough.shared).all()


@pytest.mark.parametrize("inner_folds", [5, "loo"])
@pytest.mark.parametrize("width", [120, 1000])
def test_choices_are_those_of_float64(inner_folds: int | str, width: int) -> None:
    x = training_rows(400, width, decay=0.5)
    y, blocks = responses(x), inner_blocks(np.arange(400), inner_folds, 0)
    best, gain = best_penalties(
        factorize(x, fast=True), y, ALPHAS, blocks, exact=lambda: factorize(x)
    )
    truth = held_out_gains(factorize(x), y, ALPHAS, blocks).saved
    assert torch.equal(best, truth.argmax(dim=0))
    torch.testing.assert_close(gain, truth.max(dim=0).values, rtol=1e-3, atol=1e-3)


def test_the_exact_factor_is_made_where_a_choice_depends_on_it_and_only_there() -> None:
    x = training_rows(400, 1000)
    y, blocks = responses(x)[:, :4], inner_blocks(np.arange(400), 5, 0)
    fast, asked = factorize(x, fast=True), []

    def exact() -> Factor:
        asked.append(True)
        return factorize(x)

    def saved(log_alpha: float) -> float:
        alpha = torch.tensor([10.0**log_alpha], dtype=torch.float64)
        return float(held_out_gains(factorize(x), y[:, 3:], alpha, blocks).saved)

    best_penalties(fast, y, ALPHAS, blocks, exact=forbidden)
    # Two penalties, one on each side of the best, that save the same but for 1e-9.
    middle = max(range(-2, 9), key=saved)
    low = middle - 0.5
    high = brentq(lambda k: saved(k) - saved(low) * (1 - 1e-9), middle + 0.01, 8, xtol=1e-12)
    pair = torch.tensor([10.0**high, 10.0**low], dtype=torch.float64)
    best, _ = best_penalties(fast, y[:, 3:], pair, blocks, exact=exact)
    assert asked
    assert best.item() == 1


def test_a_penalty_that_float32_cannot_fit_is_fitted_in_float64(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = training_rows(300, 280)
    y, blocks = responses(x), inner_blocks(np.arange(300), 5, 0)
    alphas = torch.logspace(-9, 2, 12, dtype=torch.float64)
    solved = smoother._solved_in_turn
    monkeypatch.setattr(smoother, "_solved_in_turn", failing_in_float32(solved))
    best, gain = best_penalties(factorize(x), y, alphas, blocks)
    truth = held_out_gains(factorize(x), y, alphas, blocks).saved
    assert torch.equal(best, truth.argmax(dim=0))
    torch.testing.assert_close(gain, truth.max(dim=0).values)


@pytest.mark.parametrize("width", [40, 80])
def test_more_targets_than_rows_that_are_held_out_save_what_they_do_alone(width: int) -> None:
    x = torch.as_tensor(np.random.default_rng(0).standard_normal((60, width)))
    y = torch.as_tensor(np.random.default_rng(1).standard_normal((60, 40)))
    blocks = inner_blocks(np.arange(60), 4, 0)
    factor, y = factorize(x - x.mean(dim=0)), y - y.mean(dim=0)
    together = held_out_gains(factor, y, ALPHAS, blocks)
    alone = [held_out_gains(factor, part, ALPHAS, blocks) for part in y.split(5, dim=1)]
    saved = torch.cat([part.saved for part in alone], dim=1)
    torch.testing.assert_close(together.saved, saved, rtol=1e-9, atol=1e-9)
    # An inverse bounds the least pivot from below.
    assert (together.rounding >= 0.99 * torch.cat([part.rounding for part in alone], dim=1)).all()


def failing_in_float32(solved: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., object]:
    def failing(of: Unexplained, right: Tensor) -> object:
        found, pivots = solved(of, right)
        if right.dtype == torch.float32:
            found[::2], pivots[::2] = torch.nan, torch.nan
        return found, pivots

    return failing


def test_a_fold_is_fitted_alike_by_both() -> None:
    x = training_rows(500, 700)
    y, blocks = responses(x), inner_blocks(np.arange(400), 5, 0)
    train, test = x[:400] - x[:400].mean(dim=0), x[400:] - x[:400].mean(dim=0)
    fit, factor = fit_fold(RowSides(train, test), y[:400], ALPHAS, blocks)
    assert not factor.is_exact
    target = centred(y[:400])[0]
    chosen = ALPHAS[fit.best]
    expected = test @ solve(factorize(train), train, target, chosen)
    torch.testing.assert_close(fit.explained, expected, rtol=1e-8, atol=1e-9)
