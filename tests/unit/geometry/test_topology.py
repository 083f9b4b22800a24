"""Loops among sentences: those of circles and tori, whose births and deaths are known."""

import sys

import numpy as np
import pytest

from geomod.geometry.sets import Sentences, measure_population
from geomod.geometry.topology import LOOPS, MOST, lives, shuffled, some


def circle(count, radius=1.0):
    angles = 2 * np.pi * np.arange(count) / count
    return radius * np.column_stack([np.cos(angles), np.sin(angles)])


def loops_of(rows):
    table = measure_population({3: rows}, LOOPS).set_index(["metric", "variant"])
    return table.loc["persistence_h1"]


def test_a_missing_package_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ripser", None)
    with pytest.raises(ModuleNotFoundError, match=r'comes with `pip install "geomod\[topology\]"`'):
        lives(Sentences(circle(9)).distances)


class TestLoops:
    @pytest.fixture(autouse=True)
    def needs_ripser(self):
        pytest.importorskip("ripser")

    @pytest.mark.parametrize("radius", [1.0, 7.5])
    def test_a_circle_has_one_loop_that_dies_when_a_triangle_fills_it(self, radius):
        rows = circle(30, radius) @ np.linalg.qr(np.random.default_rng(0).normal(size=(9, 2)))[0].T
        chords = 2 * np.sin(np.pi * np.arange(1, 30) / 30)  # from one point to the others
        expected = (np.sqrt(3) - chords[0]) / np.median(chords)
        found = loops_of(rows + 5)
        assert found.loc["longest", "value"] == pytest.approx(expected, rel=1e-5)
        assert found.loc["total", "value"] == pytest.approx(expected, rel=1e-5)
        assert (found["n"] == 30).all()
        assert found.loc["longest-shuffled", "value"] < expected / 2

    def test_a_torus_has_two(self):
        one, other = np.meshgrid(np.arange(12), np.arange(12))
        rows = np.hstack([circle(12)[one.ravel()], circle(12)[other.ravel()]])
        sentences = Sentences(rows)
        middle = np.median(np.sqrt(sentences.distances[np.triu_indices(144, 1)]))
        found = lives(sentences.distances)
        expected = (np.sqrt(3) - 2 * np.sin(np.pi / 12)) / middle
        np.testing.assert_allclose(found[:2], expected, rtol=1e-5)
        assert (found[2:] < expected / 4).all()

    def test_noise_has_no_more_than_when_it_is_shuffled(self):
        rng = np.random.default_rng(0)
        apart = []
        for _ in range(20):
            found = loops_of(rng.normal(size=(60, 8)))["value"]
            apart.append(found["longest"] - found["longest-shuffled"])
        assert abs(np.mean(apart)) < 3 * np.std(apart) / np.sqrt(20)

    def test_what_is_undefined_is_not_a_number(self):
        constant = loops_of(np.ones((5, 3)))
        assert constant["value"].isna().all()
        line = loops_of(np.arange(4.0)[:, None])
        assert line.loc[["longest", "total"], "value"].eq(0).all()


def test_shuffling_keeps_the_spread_of_every_component():
    rows = np.random.default_rng(0).normal(size=(40, 5)) * [5, 4, 3, 2, 1]
    sentences = Sentences(rows)
    mixed = shuffled(sentences)
    finite = np.isfinite(mixed)
    assert mixed[finite].sum() == pytest.approx(sentences.distances[finite].sum())
    assert not np.allclose(mixed[finite], sentences.distances[finite])


def test_of_very_many_sentences_some_are_drawn():
    many = np.arange((MOST + 5) ** 2, dtype=float).reshape(MOST + 5, -1)
    drawn = some(many)
    assert drawn.shape == (MOST, MOST)
    assert np.isin(drawn, many).all()
    assert some(many[:9, :9]).shape == (9, 9)
