"""Every built-in variant against plain loops over the raw tokens, in float64."""

import math

import numpy as np
import pytest

from geomod.geometry.catalogue import names
from geomod.geometry.grams import Grams
from geomod.geometry.measuring import measure

LENGTHS = (1, 2, 3, 4, 5, 9, 12)
WIDTH = 6
LAYERS = (0, 1, 2)


def sentences(outlier, seed):
    """Token states of a few sentences; some dimensions are `outlier` times the rest."""
    rng = np.random.default_rng(seed)
    scale = np.ones(WIDTH)
    offset = np.zeros(WIDTH)
    offset[[1, 4]] = outlier
    scale[1] = outlier
    return [rng.normal(size=(length, WIDTH)) * scale + offset for length in LENGTHS]


def sinks(seed):
    """The same with a first token 1e4 times the norm of the rest."""
    states = sentences(1.0, seed)
    for tokens in states:
        tokens[0] *= 1e4
    return states


def angle(a, b, folded=False):
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    norms = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(y * y for y in b))
    cosine = max(-1.0, min(1.0, dot / norms))
    return math.acos(abs(cosine) if folded else cosine)


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else math.nan


def mean_token(tokens):
    return sum(tokens) / len(tokens) if len(tokens) else 0.0


def steps_of(tokens):
    return [tokens[t + 1] - tokens[t] for t in range(len(tokens) - 1)]


def curvature(tokens, kind):
    if kind.startswith(("normed", "centred")):
        tokens = tokens - mean_token(tokens)
        if kind.startswith("normed"):
            tokens = [token / np.linalg.norm(token) for token in tokens] if len(tokens) > 1 else []
        kind = kind.partition("-")[2]
    if kind == "states":
        return mean(angle(tokens[t], tokens[t + 1]) for t in range(len(tokens) - 1))
    lag = int(kind[3:]) if kind.startswith("lag") else 1
    steps = steps_of(tokens)
    return mean(
        angle(steps[t], steps[t + lag], folded=kind == "folded") for t in range(len(steps) - lag)
    )


def eigenvalues(tokens, kind):
    """Of the Gram of the prepared tokens; without the clamp, from their singular values."""
    if len(tokens) == 0:
        return []
    if kind != "raw":
        tokens = tokens - tokens.mean(axis=0)
        if len(tokens) == 1:
            return []
    if kind in ("normed", "clamped"):
        tokens = np.array([row / np.linalg.norm(row) for row in tokens])
    if kind == "clamped":
        values = np.linalg.eigvals(np.maximum(tokens @ tokens.T, 0)).real
    else:
        values = np.linalg.svd(tokens, compute_uv=False) ** 2
    return [value for value in values if value > 1e-15 * max(values)]


def spectral(tokens, metric, parts):
    values = eigenvalues(tokens, parts[0])
    if not values:
        return math.nan
    if metric == "effective_rank":
        values = [math.sqrt(value) for value in values]
    weights = [value / sum(values) for value in values]
    if metric == "participation_ratio":
        return 1 / sum(w * w for w in weights)
    shannon = -sum(w * math.log(w) for w in weights)
    if metric == "effective_rank":
        return math.exp(shannon)
    orders = [float(part.removeprefix("renyi")) for part in parts if part.startswith("renyi")]
    value = math.log(sum(w ** orders[0] for w in weights)) / (1 - orders[0]) if orders else shannon
    scales = {
        "lnmin": min(len(tokens), WIDTH),
        "lntokens": len(tokens),
        "lnwidth": WIDTH,
    }
    for name, size in scales.items():
        if name in parts:
            value = value / math.log(size) if size > 1 else math.nan
    return value


def autocorrelation(tokens, kind):
    if len(tokens) < 2:
        return math.nan
    apart = tokens - tokens.mean(axis=0)
    count = len(tokens)
    power = mean(apart[t] @ apart[t] for t in range(count))
    c = [
        mean(apart[t] @ apart[t + lag] for t in range(count - lag)) / power for lag in range(count)
    ]
    if kind == "time":
        time = 1.0
        for value in c[1:]:
            if value < 0:
                break
            time += 2 * value
        return time
    lag = int(kind.removeprefix("lag"))
    return c[lag] if lag < count else math.nan


def connectivity(tokens, count):
    size = len(tokens)
    if size <= count:
        return math.nan
    apart = [[((a - b) ** 2).sum() for b in tokens] for a in tokens]
    middle = np.median([apart[i][j] for i in range(size) for j in range(i)])
    alike = np.exp(-np.array(apart) / middle)
    degrees = alike.sum(axis=1)
    # The random walk on the graph has the same eigenvalues, 1 less them.
    values = np.sort(1 - np.linalg.eigvals(alike / degrees[:, None]).real)
    return mean(values[1 : count + 1])


def oracle(metric, variant, tokens):
    parts = variant.split("-")
    if "drop1" in parts:
        tokens = tokens[1:]
    steps = [np.linalg.norm(step) for step in steps_of(tokens)]
    if metric in ("entropy", "effective_rank", "participation_ratio"):
        return spectral(tokens, metric, parts)
    if metric == "curvature":
        return curvature(tokens, "-".join(part for part in parts if part != "drop1"))
    if metric == "coherence":
        units = [token / np.linalg.norm(token) for token in tokens]
        return mean(a @ b for a in units for b in units)
    if metric == "autocorrelation":
        return autocorrelation(tokens, parts[0])
    if metric == "connectivity":
        return connectivity(tokens, int(parts[0][1:]))
    if metric == "path_length":
        return sum(steps)
    if metric == "step_length":
        return mean(steps)
    if metric == "still_steps":
        return sum(step == 0 for step in steps)
    if metric == "first_token_norm":
        norms = [np.linalg.norm(token) for token in tokens]
        if variant == "share":
            return norms[0] ** 2 / sum(n**2 for n in norms) if len(norms) > 1 else math.nan
        return norms[0] / mean(norms[1:])
    if metric == "norm":
        return mean([np.log(np.linalg.norm(token)) for token in tokens if any(token)])
    if metric == "tokens":
        return len(tokens)
    raise KeyError(metric)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda seed: sentences(1.0, seed), id="plain"),
        pytest.param(lambda seed: sentences(1e4, seed), id="outlier-dimensions"),
        pytest.param(sinks, id="first-token-sink"),
    ],
)
def test_every_variant_equals_a_loop_over_the_tokens(make):
    states = {layer: make(layer) for layer in LAYERS}
    grams = {layer: Grams.of_states(tokens) for layer, tokens in states.items()}
    items = [f"s{length}" for length in LENGTHS]
    table = measure(grams, items, names())
    table["tokens"] = table["item_id"].map(dict(zip(items, range(len(items)), strict=True)))
    for row in table.itertuples():
        base, _, since = row.variant.partition("-from")
        expected = oracle(row.metric, base, states[row.layer][row.tokens])
        if since:
            expected -= oracle(row.metric, base, states[int(since)][row.tokens])
        # Two tokens less their mean lie at π exactly, where arccos keeps half of the digits.
        loose = row.metric == "curvature" and base.startswith(("centred", "normed"))
        near = 1e-7 if loose else 1e-9
        assert row.value == pytest.approx(expected, rel=1e-9, abs=near, nan_ok=True), row
