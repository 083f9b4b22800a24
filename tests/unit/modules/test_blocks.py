"""Contiguous blocks of layers: all cuts tried, planted ones found, none in a walk."""

from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest

from geomod.geometry.sets import depth_similarity
from geomod.modules.blocks import cut, dissimilarities, find_blocks, places


def table_of(cka, layers=None):
    n = len(cka)
    layers = range(1, n + 1) if layers is None else layers
    first, second = np.meshgrid(list(layers), list(layers), indexing="ij")
    own = {"layer": first.ravel(), "other": second.ravel(), "cka_debiased": np.ravel(cka)}
    return pd.DataFrame({"model": "m", "step": 1, **own})


def by_trying(apart, count):
    """The best cut of all there are, by loops."""
    n = len(apart)
    total = sum(apart[i, j] for i in range(n) for j in range(i))
    best = (-1.0, ())
    for starts in combinations(range(1, n), count - 1):
        bounds = [0, *starts, n]
        within = sum(
            apart[i, j] for a, b in pairwise(bounds) for i in range(a, b) for j in range(a, i)
        )
        best = max(best, (1 - within / total, starts))
    return best


@pytest.mark.parametrize("count", [2, 3, 4])
def test_the_cut_is_the_best_of_all(count):
    rng = np.random.default_rng(count)
    problems = rng.random((20, 8, 8))
    problems += problems.swapaxes(1, 2)
    shares, starts = cut(problems, count)
    for apart, share, found in zip(problems, shares, starts, strict=True):
        expected = by_trying(apart, count)
        assert share == pytest.approx(expected[0])
        assert tuple(found) == expected[1]


def test_flat_and_linear_dissimilarity_are_cut_in_the_middle():
    flat = 1 - np.eye(12)
    place = np.arange(12.0)
    linear = np.abs(place[:, None] - place)
    for apart in (flat, linear):
        assert cut(apart[None], 2)[1].tolist() == [[6]]
    assert cut(np.zeros((1, 5, 5)), 2)[0] == 0


def test_points_have_the_dissimilarities_that_they_were_made_of():
    states = {k: np.random.default_rng(k).normal(size=(40, 6)) for k in range(5)}
    table = depth_similarity(states)
    cka = table.pivot_table(index="layer", columns="other", values="cka").to_numpy()
    np.testing.assert_allclose(dissimilarities(places(cka)[None])[0], 1 - cka, atol=1e-12)


def layers_of(rng, blocks, scatter=0.3, n=120, width=400):
    """Features of layers: each block has states of its own, and each layer some noise."""
    own = {block: rng.normal(size=(n, width)) for block in set(blocks)}
    return {
        layer: own[block] + scatter * rng.normal(size=(n, width))
        for layer, block in enumerate(blocks, start=1)
    }


def walk_of(rng, layers=12, n=60, width=200):
    steps = rng.normal(size=(layers, n, width))
    return dict(enumerate(np.cumsum(steps, axis=0), start=1))


def blocks_of(features, **more):
    return find_blocks(depth_similarity(features).assign(model="m", step=1), **more)


def test_planted_blocks_come_back_and_exceed_both_nulls():
    rng = np.random.default_rng(0)
    two = blocks_of(layers_of(rng, "aaaaaaabbbbb")).set_index("blocks")
    assert two.loc[2, "starts"] == "8"
    assert two.loc[2, ["smooth_p", "walk_p"]].le(0.05).all()
    assert two.loc[2, "separation"] > 0.85
    three = blocks_of(layers_of(rng, "aaaabbbbbccc")).set_index("blocks")
    assert three.loc[3, "starts"] == "5,10"


def test_a_random_walk_over_depth_has_blocks_no_clearer_than_its_null():
    rng = np.random.default_rng(1)
    tables = [blocks_of(walk_of(rng), null_draws=99, seed=seed) for seed in range(200)]
    table = pd.concat(tables)
    assert (table["walk_p"] <= 0.05).groupby(table["blocks"]).mean().max() <= 0.075


def test_layers_without_a_similarity_and_few_layers_have_no_row():
    cka = np.eye(5)
    assert len(find_blocks(table_of(cka), null_draws=9)) == 3
    assert find_blocks(table_of(cka[:3, :3])).empty
    broken = cka.copy()
    broken[2, 3] = broken[3, 2] = np.nan
    assert find_blocks(table_of(broken)).empty
    with_embedding = table_of(np.eye(5), range(5))
    with_embedding.loc[with_embedding["layer"] == 0, "cka_debiased"] = np.nan
    found = find_blocks(with_embedding, null_draws=9)
    assert set(found["blocks"]) == {2, 3}


def test_layers_alike_for_all_sentences_are_left_out_and_the_others_cut() -> None:
    rng = np.random.default_rng(0)
    features = layers_of(rng, "aaaaabbbbb")
    features[2] = features[9] = np.ones_like(features[2])
    two = blocks_of(features).set_index("blocks")
    assert two.loc[2, "starts"] == "6"
    others = {layer: own for layer, own in features.items() if layer not in (2, 9)}
    np.testing.assert_array_equal(two["separation"], blocks_of(others)["separation"])
    flat = dict.fromkeys(range(1, 8), features[2]) | {8: features[8]}
    assert blocks_of(flat).empty


def test_the_same_seed_gives_the_same_table():
    similarity = depth_similarity(walk_of(np.random.default_rng(2))).assign(model="m", step=1)
    pd.testing.assert_frame_equal(find_blocks(similarity, seed=3), find_blocks(similarity, seed=3))
