"""Loops among the sentences of a layer: persistent homology in dimension 1.

Points within reach of each other are joined, three that are joined in pairs are filled in, and the
reach grows (the Vietoris–Rips complex): a loop is born when it closes and dies when it is filled.
Noise makes short-lived loops in any dimension, so each measure comes with what is left of it when
the sentences are `shuffled`. They need the package ripser (Bauer 2021), which comes with the extra
`topology`, and so are measured where they are asked for: `measure_population(features, LOOPS)`.
"""

from functools import lru_cache, partial

import numpy as np
from scipy.spatial.distance import squareform

from geomod.base.extras import extra
from geomod.geometry.grams import Floats
from geomod.geometry.registry import SetMeasure
from geomod.geometry.sets import Sentences, apart

MOST = 1000  # sentences of which loops are looked for: time grows with their cube


def lives(distances: Floats) -> Floats:
    """How long each loop lives, in units of the median distance, longest first.

    `distances` [n, n] are squared, as `apart` gives them.
    """
    with extra("topology"):
        from ripser import ripser
    lengths = np.sqrt(distances)
    np.fill_diagonal(lengths, 0)
    born, dies = ripser(lengths, distance_matrix=True, maxdim=1)["dgms"][1].T
    return np.sort(dies - born)[::-1].astype(float) / np.median(squareform(lengths, checks=False))


def shuffled(those: Sentences) -> Floats:
    """Squared distances among the sentences when each of their principal components is put into an
    order of its own: what spread they have along each stays, and what ties them is gone."""
    values, vectors = np.linalg.eigh(those.gram)
    components = vectors * np.sqrt(np.maximum(values, 0))
    mixed = np.random.default_rng(0).permuted(components, axis=0)
    return apart(mixed @ mixed.T)


def some(distances: Floats) -> Floats:
    """Those of at most MOST sentences, drawn where there are more."""
    n = len(distances)
    if n <= MOST:
        return distances
    chosen = np.sort(np.random.default_rng(0).choice(n, MOST, replace=False))
    return distances[np.ix_(chosen, chosen)]


@lru_cache(maxsize=1)
def _loops(those: Sentences) -> dict[str, tuple[Floats, int]]:
    """Lives of the loops among the sentences and among the shuffled ones, and of how many."""
    found = {"": some(those.distances), "-shuffled": some(shuffled(those))}
    return {name: (lives(own), len(own)) for name, own in found.items() if len(own) > 1}


def longest(those: Sentences, of: str = "") -> tuple[float, int]:
    """How long the loop lives that lives longest, over the median distance; 0 without any."""
    lasting, n = _loops(those).get(of, (np.empty(0), 0))
    return (float(lasting.max(initial=0)) if n else np.nan), n


def total(those: Sentences, of: str = "") -> tuple[float, int]:
    """Σ of the lives of all loops, over the median distance."""
    lasting, n = _loops(those).get(of, (np.empty(0), 0))
    return (float(lasting.sum()) if n else np.nan), n


LOOPS: dict[tuple[str, str], SetMeasure] = {
    ("persistence_h1", f"{measure.__name__}{of}"): partial(measure, of=of)
    for measure in (longest, total)
    for of in ("", "-shuffled")
}
