"""Measures of plain arrays are the registered ones, whatever the array is made of."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from geomod.base.errors import InputError
from geomod.geometry import arrays, sets
from geomod.geometry.arrays import curvature, entropy, measure_states
from geomod.geometry.catalogue import names
from geomod.geometry.grams import Grams
from geomod.geometry.measuring import measure
from geomod.geometry.registry import REGISTRY

X = np.random.default_rng(0).normal(size=(7, 5))


def registered(states: np.ndarray, metric: str, variant: str) -> float:
    grams = {0: Grams.of_states([states])}
    return measure(grams, ["s"], {metric: [variant]})["value"].item()


def test_entropy_and_curvature_are_the_headline_measures() -> None:
    assert entropy(X) == registered(X, "entropy", "raw")
    assert curvature(X) == registered(X, "curvature", "hosseini")
    assert entropy(np.eye(6)) == pytest.approx(np.log(6), abs=1e-12)
    assert curvature(np.outer(np.arange(5.0), [1, 2, 3])) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("metric", sorted(names()))
def test_every_variant_goes_by_its_name(metric: str) -> None:
    for name, variant in REGISTRY[metric].items():
        if variant.since is None:
            found = measure_states(X, metric, name)
            assert_array_equal(found, registered(X, metric, name))
            assert type(found) is float
        else:
            with pytest.raises(InputError, match=f"compares a layer with layer {variant.since}"):
                measure_states(X, metric, name)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_tensors_and_lists_are_arrays(dtype: torch.dtype) -> None:
    tensor = torch.tensor(X, dtype=dtype, requires_grad=True)
    assert entropy(tensor) == entropy(tensor.detach().double().numpy())
    assert curvature(X.tolist()) == curvature(X)
    assert np.isfinite(entropy([[1, 2], [3, 4]]))


def test_a_stack_gives_a_number_each() -> None:
    stack = np.random.default_rng(1).normal(size=(4, 7, 5))
    stack[2, 0, 0] = np.nan
    found = entropy(stack)
    assert_allclose(found[[0, 1, 3]], [entropy(stack[k]) for k in (0, 1, 3)], rtol=1e-14)
    assert found[2] == np.inf == entropy(stack[2])


def test_too_few_tokens_have_no_curvature() -> None:
    assert np.isnan(curvature(X[:2]))
    assert np.isfinite(curvature(X[:3]))


@pytest.mark.parametrize(
    ("states", "variant", "message"),
    [
        (X[0], "raw", r"takes token states \[tokens, width\].*shape is \(5,\)"),
        (X, "centered", "did you mean `centred`"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_words(
    states: np.ndarray, variant: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        entropy(states, variant)


def test_measures_of_a_set_are_those_of_the_table() -> None:
    rows = np.random.default_rng(2).normal(size=(150, 60)).astype(np.float32)
    rows[3, 0] = np.nan
    table = sets.measure_population({0: rows}).set_index(["metric", "variant"])["value"]
    assert arrays.rankme(rows) == table["rankme", "singular"]
    assert arrays.rankme(rows, "eigenvalues") == table["rankme", "eigenvalues"]
    assert arrays.alpha_req(torch.tensor(rows)) == table["alpha_req", "alpha"]
    assert arrays.set_participation_ratio(rows) == table["set_participation_ratio", "raw"]
    assert arrays.twonn(rows) == table["twonn", "raw"]
    with pytest.raises(InputError, match="no variant `raw` of `rankme`"):
        arrays.rankme(rows, "raw")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"features .sentences, width. are needed"):
        arrays.twonn(rows[0])
