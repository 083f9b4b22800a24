"""Dense linear algebra on a CPU as it is fastest: half of what is symmetric, and no lock.

PyTorch computes both halves of a symmetric product, and SciPy's wrappers of LAPACK hold Python's
lock, so that threads wait for each other. Here SciPy's own routines are called where it keeps them
for compiled code (`scipy.linalg.cython_lapack`), in place, through ctypes, which lets the lock go.

Tensors are contiguous or transposed, of float32 or float64. Of symmetric ones, and of roots, only
the lower triangle is written and read.
"""

import ctypes
from functools import cache
from typing import Any

import numpy as np
import torch
from scipy.linalg import cython_blas, cython_lapack
from torch import Tensor

_LETTER = {torch.float32: "s", torch.float64: "d"}
_REAL = {torch.float32: ctypes.c_float, torch.float64: ctypes.c_double}


def serves(a: Tensor) -> bool:
    """Whether `a` is where these routines compute; elsewhere PyTorch's own do."""
    return a.device.type == "cpu"


def product(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """a b; on a CPU by NumPy, whose BLAS was the faster one where docs/performance.md measured."""
    if not serves(a):
        return torch.matmul(a, b, out=out)
    place = None if out is None else out.numpy()
    return torch.from_numpy(np.matmul(a.numpy(), b.numpy(), out=place))


def add_gram(a: Tensor, c: Tensor, scale: float = 1.0) -> None:
    """c ← c + scale · a aᵀ."""
    (rows, inner), real = a.shape, _REAL[a.dtype]
    order, columns = (b"T", inner) if a.is_contiguous() else (b"N", rows)
    factors = (real(scale), a, columns, real(1))
    _call("syrk", a, _lower(c), order, rows, inner, *factors, c, rows)


def cholesky(a: Tensor) -> bool:
    """Replace `a` by its root L, a = L Lᵀ; False, and half a root, where there is none."""
    failed = ctypes.c_int()
    _call("potrf", a, _lower(a), len(a), a, len(a), failed)
    return not failed.value


def solve_by_root(root: Tensor, rows: Tensor) -> None:
    """Replace each of the `rows`, right-hand sides y, by (L Lᵀ)⁻¹ y."""
    n = len(root)
    _call("potrs", root, _lower(root), n, len(rows), root, n, rows, n, ctypes.c_int())


def invert(a: Tensor) -> bool:
    """Replace a symmetric, positive definite `a` by its inverse, both halves; False without one."""
    if not cholesky(a):
        return False
    _call("potri", a, _lower(a), len(a), a, len(a), ctypes.c_int())
    a.tril_().add_(a.tril(-1).T)
    return True


def eigenpairs(a: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, ascending, and eigenvectors in columns, by divide and conquer; `a` is lost."""
    n, failed = len(a), ctypes.c_int()
    values, work = a.new_empty(n), a.new_empty(1 + 6 * n + 2 * n**2)
    integers = torch.empty(3 + 5 * n, dtype=torch.int32)
    space = (work, len(work), integers, len(integers))
    _call("syevd", a, b"V", _lower(a), n, a, n, values, *space, failed)
    if failed.value:
        raise ArithmeticError(f"the eigenvalues of a {n} × {n} matrix did not converge")
    return values, a.T if a.is_contiguous() else a


def _lower(a: Tensor) -> bytes:
    """The lower triangle in LAPACK's words, which take columns to be contiguous, not rows."""
    return b"U" if a.is_contiguous() else b"L"


def _call(name: str, like: Tensor, *arguments: Any) -> None:
    """Call a routine for numbers `like` these. All arguments go by reference, as in Fortran."""
    _routine(_LETTER[like.dtype] + name)(*map(_reference, arguments))


def _reference(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    if isinstance(argument, int):
        return ctypes.byref(ctypes.c_int(argument))
    return argument if isinstance(argument, bytes) else ctypes.byref(argument)


@cache
def _routine(name: str) -> Any:
    """A routine of SciPy's LAPACK or BLAS, as a C function that returns nothing."""
    shelf = cython_lapack if name in cython_lapack.__pyx_capi__ else cython_blas
    capsule = shelf.__pyx_capi__[name]
    name_of, address_of = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    address_of.restype, address_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return ctypes.CFUNCTYPE(None)(address_of(capsule, name_of(capsule)))
