"""The routines called through their addresses, beside NumPy's, and that they let the lock go."""

import threading

import numpy as np
import pytest
import torch
from torch import Tensor

from geomod.ridge import blas

TYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
LAYOUTS = pytest.mark.parametrize("transposed", [False, True])


def close(found: Tensor, expected: Tensor) -> None:
    scale = float(expected.abs().max())
    tolerance = 100 * torch.finfo(found.dtype).eps * scale
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


def drawn(rows: int, columns: int, dtype: torch.dtype, transposed: bool = False) -> Tensor:
    rng = torch.Generator().manual_seed(rows)
    if transposed:
        return torch.randn(columns, rows, generator=rng, dtype=dtype).T
    return torch.randn(rows, columns, generator=rng, dtype=dtype)


def definite(n: int, dtype: torch.dtype, transposed: bool) -> Tensor:
    a = drawn(n, n, dtype)
    matrix = a @ a.T + torch.eye(n, dtype=dtype)
    return matrix.T if transposed else matrix


@TYPES
@LAYOUTS
def test_products_are_those_of_torch(dtype: torch.dtype, transposed: bool) -> None:
    a, b = drawn(7, 5, dtype, transposed), drawn(5, 3, dtype, transposed)
    close(blas.product(a, b), a @ b)


@TYPES
@LAYOUTS
@pytest.mark.parametrize("shape", [(7, 5), (5, 7), (1, 4), (4, 1)])
@pytest.mark.parametrize("into_transposed", [False, True])
def test_a_gram_is_added_to_the_lower_triangle(
    dtype: torch.dtype, transposed: bool, shape: tuple[int, int], into_transposed: bool
) -> None:
    a, start = drawn(*shape, dtype, transposed), torch.ones(shape[0], shape[0], dtype=dtype)
    c = start.clone().T if into_transposed else start.clone()
    blas.add_gram(a, c, scale=-0.5)
    close(c.tril(), (start - 0.5 * a @ a.T).tril())
    assert torch.equal(c.triu(1), start.triu(1))  # the other triangle stays


@TYPES
@LAYOUTS
def test_a_root_solves(dtype: torch.dtype, transposed: bool) -> None:
    matrix = definite(6, dtype, transposed)
    root = matrix.clone()
    assert blas.cholesky(root)
    close(root.tril(), torch.linalg.cholesky(matrix))
    right = drawn(3, 6, dtype)
    solved = right.clone()
    blas.solve_by_root(root, solved)
    close(solved @ matrix, right)


@TYPES
@LAYOUTS
def test_an_inverse_has_both_halves(dtype: torch.dtype, transposed: bool) -> None:
    matrix = definite(6, dtype, transposed)
    inverse = matrix.tril()
    inverse = inverse.T.contiguous().T if transposed else inverse
    assert blas.invert(inverse)
    close(inverse @ matrix, torch.eye(6, dtype=dtype))
    assert torch.equal(inverse, inverse.T)


@TYPES
@LAYOUTS
def test_what_has_no_root_is_said_to_have_none(dtype: torch.dtype, transposed: bool) -> None:
    assert not blas.cholesky(-definite(6, dtype, transposed))
    assert not blas.invert(-definite(6, dtype, transposed))


@TYPES
def test_a_product_goes_where_it_is_told(dtype: torch.dtype) -> None:
    a, b, out = drawn(3, 4, dtype), drawn(4, 5, dtype), drawn(3, 5, dtype)
    blas.product(a, b, out=out)
    close(out, a @ b)


@TYPES
@LAYOUTS
@pytest.mark.parametrize("n", [1, 2, 40])
def test_eigenpairs_rebuild_the_matrix(dtype: torch.dtype, transposed: bool, n: int) -> None:
    matrix = definite(n, dtype, transposed)
    values, vectors = blas.eigenpairs(matrix.tril().clone() if not transposed else matrix.clone())
    assert (values.diff() >= 0).all()
    close((vectors * values) @ vectors.T, matrix)
    close(vectors.T @ vectors, torch.eye(n, dtype=dtype))


def test_what_does_not_converge_is_an_error() -> None:
    with pytest.raises(ArithmeticError, match="3 × 3 matrix did not converge"):
        blas.eigenpairs(torch.full((3, 3), torch.nan))


def test_other_threads_run_meanwhile() -> None:
    matrix = torch.from_numpy(np.eye(900)) + definite(900, torch.float64, transposed=False)
    worker = threading.Thread(target=blas.eigenpairs, args=(matrix,))
    worker.start()
    turns = 0
    while worker.is_alive():
        worker.join(timeout=1e-3)
        turns += 1
    assert turns > 10  # with the lock held, it would be over before the first turn ended
