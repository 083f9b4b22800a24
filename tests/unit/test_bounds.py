"""Penalties are given up only where they cannot be the best."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from geomod.bounds import bounds_pay, gains_of_hopeful, most_saved, residuals_of
from geomod.factor import factorize
from geomod.folds import inner_blocks
from geomod.penalties import best_penalties
from geomod.smoother import LeftOut, gains_of_blocks, held_out_gains, leave_out
from tests.unit.test_factor import ALPHAS, forbidden, responses, training_rows

NOTHING = torch.full((6,), -torch.inf, dtype=torch.float64)
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def left_out(
    x: Tensor, dtype: torch.dtype, folds: int = 5, targets: slice = slice(None)
) -> LeftOut:
    factor, blocks = (
        factorize(x, fast=dtype == torch.float32),
        inner_blocks(np.arange(len(x)), folds, 0),
    )
    return leave_out(factor, responses(x)[:, targets], blocks, dtype)


def bounds(left: LeftOut, beat: Tensor = NOTHING) -> Tensor:
    return most_saved(left, ALPHAS, residuals_of(left, ALPHAS), beat)


def truth(x: Tensor, left: LeftOut) -> tuple[Tensor, Tensor]:
    """What each penalty saves of each block, `[blocks, alphas, targets]`, and what at least."""
    factor = factorize(x)
    found = [held_out_gains(factor, left.y, ALPHAS, [part.rows]) for part in left.parts]
    return torch.stack([gains.saved for gains in found]), torch.stack([g.lowest for g in found])


@DTYPES
@pytest.mark.parametrize("rows", [303, 800])  # blocks of unequal size, and of equal
@pytest.mark.parametrize("width", [70, 120, 280, 400, 750, 1000])
@pytest.mark.parametrize("decay", [0.0, 1.0, 2.0, 3.0])
def test_no_penalty_saves_more_than_its_bound(
    dtype: torch.dtype, rows: int, width: int, decay: float
) -> None:
    x = training_rows(rows, width, decay)
    left = left_out(x, dtype)
    saved, at_least = truth(x, left)
    assert (bounds(left) >= at_least).all()
    second_steps_where_in_doubt = bounds(left, beat=saved.sum(dim=0).amax(dim=0))
    assert (second_steps_where_in_doubt >= at_least).all()


@pytest.mark.parametrize("width", [40, 100])
def test_two_steps_are_exact_for_blocks_of_two(width: int) -> None:
    x = training_rows(60, width)
    left = left_out(x, torch.float64, folds=30)
    saved, _ = truth(x, left)
    torch.testing.assert_close(bounds(left), saved, rtol=1e-6, atol=1e-6 * float(saved.abs().max()))


@DTYPES
@pytest.mark.parametrize("width", [120, 280, 1000])
@pytest.mark.parametrize("decay", [0.0, 2.0])
@pytest.mark.parametrize("target", range(6))
def test_what_is_given_up_is_not_the_best_and_what_is_not_is_exact(
    dtype: torch.dtype, width: int, decay: float, target: int
) -> None:
    left = left_out(training_rows(303, width, decay), dtype, targets=slice(target, target + 1))
    every = gains_of_blocks(left, ALPHAS, 512)
    some = gains_of_hopeful(left, ALPHAS, 512)
    given_up = some.saved == -torch.inf
    assert given_up.sum() >= 5  # of 21
    assert not given_up.gather(0, every.saved.argmax(dim=0)[None]).any()
    kept, rounding = ~given_up, every.highest - every.lowest
    assert ((some.saved - every.saved).abs() <= rounding)[kept].all()


@settings(deadline=None)
@given(
    rows=st.integers(20, 60),
    width=st.integers(2, 80),
    decay=st.floats(0, 4),
    targets=st.integers(1, 6),
    seed=st.integers(0, 999),
)
def test_choices_are_those_of_all_penalties(
    rows: int, width: int, decay: float, targets: int, seed: int
) -> None:
    x = training_rows(rows, width, decay, seed)
    y, blocks = responses(x, seed)[:, :targets], inner_blocks(np.arange(rows), 5, 0)
    factor = factorize(x)
    best, gain = best_penalties(factor, y, ALPHAS, blocks, exact=forbidden)
    saved = held_out_gains(factor, y, ALPHAS, blocks).saved
    scale = float((y**2).sum())
    torch.testing.assert_close(
        saved.gather(0, best[None])[0], saved.amax(dim=0), rtol=0, atol=1e-9 * scale
    )
    torch.testing.assert_close(gain, saved.amax(dim=0), rtol=0, atol=1e-9 * scale)


def test_rows_that_fit_exactly_and_responses_of_zeros_keep_every_hope() -> None:
    x = training_rows(60, 30)
    y = torch.zeros(60, 2, dtype=torch.float64)
    left = leave_out(factorize(x), y, inner_blocks(np.arange(60), 5, 0), torch.float64)
    some = gains_of_hopeful(left, ALPHAS, 512)
    assert (some.saved == 0).all()


def test_blocks_of_very_unequal_size_are_not_stacked() -> None:
    x = training_rows(300, 400)
    cuts = np.split(np.arange(300), [200, 240, 280])
    left = leave_out(factorize(x), responses(x)[:, :1], cuts, torch.float64)
    assert not bounds_pay(left, ALPHAS)
    assert bounds_pay(left_out(x, torch.float64, targets=slice(1)), ALPHAS)
