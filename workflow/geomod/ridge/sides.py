"""What one fold is fitted on and tested on: rows of features, or kernels between the rows.

A fit needs no more of the features than their kernel. Rows are kept where they are at hand, and
kernels where the rows would be wider than there are of them, as delayed features are
(`geomod.ridge.delays`). Both are centred on the training rows, as a free intercept has it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from geomod.ridge import blas
from geomod.ridge.blas import product
from geomod.ridge.factor import Factor, factorize, factorize_kernel, on_components, solve
from geomod.ridge.folds import Split


@dataclass(frozen=True)
class RowSides:
    """Training and test rows of features."""

    train: Tensor  # [training rows, width]
    test: Tensor  # [test rows, width]

    def __len__(self) -> int:
        """How many rows are tested."""
        return len(self.test)

    def factorize(self, components: int | None = None, *, fast: bool = False) -> Factor:
        return factorize(self.train, components, fast=fast)

    def predict(self, factor: Factor, y: Tensor, alphas: Tensor) -> Tensor:
        """What fits of the centred `y`, with a penalty each, add to the mean of the test rows."""
        return product(self.test, solve(factor, self.train, y, alphas))

    def across(self) -> Tensor:
        """The kernel between test and training rows."""
        return product(self.test, self.train.T)

    def onto(self, u: Tensor) -> Tensor:
        """That kernel times a matrix of the training rows."""
        return torch.linalg.multi_dot([self.test, self.train.T, u])

    def kernels(self) -> "KernelSides":
        return KernelSides(product(self.train, self.train.T), self.across())

    def on_components(self, factor: Factor) -> "RowSides":
        """On those principal components of the training rows that the factor keeps."""
        return RowSides(*on_components(factor, self.train, self.test))


@dataclass(frozen=True)
class KernelSides:
    """The same, known by the kernels of its rows."""

    within: Tensor  # [training rows, training rows]
    between: Tensor  # [test rows, training rows]

    def __len__(self) -> int:
        return len(self.between)

    def factorize(self, components: int | None = None, *, fast: bool = False) -> Factor:
        """In float64, be it `fast` or not: kernels of slow features are not conditioned well."""
        return factorize_kernel(self.within, components)

    def predict(self, factor: Factor, y: Tensor, alphas: Tensor) -> Tensor:
        dual = product(factor.u, product(factor.u.T, y) / (factor.s[:, None] + alphas))
        return product(self.between, dual)

    def across(self) -> Tensor:
        return self.between

    def onto(self, u: Tensor) -> Tensor:
        return product(self.between, u)

    def kernels(self) -> "KernelSides":
        return self

    def on_components(self, factor: Factor) -> RowSides:
        root = factor.s.sqrt()
        return RowSides(factor.u * root, product(self.between, factor.u) / root)


Sides = RowSides | KernelSides


def beside(baseline: Sides, layer: Sides, beta: float) -> Sides:
    """Both as one, the kernel of the baseline β times as heavy."""
    if isinstance(baseline, RowSides) and isinstance(layer, RowSides):
        b = RowSides(beta**0.5 * baseline.train, beta**0.5 * baseline.test)
        return RowSides(
            torch.cat([b.train, layer.train], dim=1), torch.cat([b.test, layer.test], dim=1)
        )
    b_kernel, own = baseline.kernels(), layer.kernels()
    return KernelSides(
        torch.add(own.within, b_kernel.within, alpha=beta),
        torch.add(own.between, b_kernel.between, alpha=beta),
    )


def sides_of_kernel(kernel: Tensor, split: Split) -> KernelSides:
    """Both sides of a fold from the kernel of all rows, centred on the training rows."""
    train, test = (torch.as_tensor(rows, device=kernel.device) for rows in split)
    of_train = kernel[train]
    within, between = of_train[:, train], kernel[test][:, train]
    mean = within.mean(dim=0)
    between -= between.mean(dim=1, keepdim=True) + mean - mean.mean()
    within -= mean[:, None] + mean - mean.mean()
    return KernelSides(within, between)


def standardized(
    rows: NDArray[np.floating], split: Split, *, scale: bool = True, device: str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Training and test rows in units of the training rows' mean and SD (ddof 0), in float64.

    A column whose SD is within the rounding of its own numbers is constant and becomes 0, since
    dividing by such an SD would turn rounding errors into a feature.
    """
    source = torch.as_tensor(rows, device=device)
    chosen, held_out = (torch.as_tensor(part, device=device) for part in split)
    train = source.new_empty((len(chosen), rows.shape[1]), dtype=torch.float64)
    # By parts that stay in a processor's cache: copies of all rows would take longer than the sums.
    together = 128 if blas.serves(train) else max(1, len(train))
    parts, largest, total = train.split(together), *train.new_zeros(2, rows.shape[1])
    for part, some in zip(parts, chosen.split(together), strict=True):
        part.copy_(source[some])
        total += part.sum(dim=0)
        largest = torch.maximum(largest, part.abs().amax(dim=0))
    mean = total / len(train)
    ulp, sums = torch.finfo(source.dtype).eps, len(train) * torch.finfo(train.dtype).eps
    rounding = torch.maximum(ulp * largest, sums * mean.abs())
    squares = sum((part.sub_(mean) ** 2).sum(dim=0) for part in parts)
    sd = (squares / len(train)).sqrt()
    factor = torch.where(sd > rounding, 1 / sd if scale else torch.ones_like(sd), 0.0)
    return train.mul_(factor), source[held_out].double().sub_(mean).mul_(factor)
