"""A first token that takes over is told, with the layers, and with what is left without it."""

import numpy as np
import pandas as pd
import pytest

from geomod.geometry.grams import Grams
from geomod.geometry.measuring import measure, summarize
from geomod.plan.config.geometry import Geometry
from geomod.report.sinks import runs, sinks


def table_of(norms, step=8, model="llama", **section):
    """The geometry of layers whose first token is `norms` times the others."""
    grams = {}
    for layer, norm in enumerate(norms):
        states = [np.random.default_rng(i).normal(size=(9, 64)) for i in range(5)]
        for tokens in states:
            tokens[0] *= norm
        grams[layer] = Grams.of_states(states)
    asked = Geometry(**section).measured()
    table = summarize(measure(grams, list("abcde"), asked))
    return table.assign(model=model, step=step)


def test_a_sink_is_named_with_its_layers_and_the_headline_without_it() -> None:
    table = table_of([1, 1, 100, 100, 1, 100])
    (line,) = sinks(table)
    assert line.startswith("llama: the first token holds most of the trace of the Gram, 100% of it")
    assert "in layers 2–3, 5 at step 8 (first at step 8)" in line
    means = table[table["layer"].isin([2, 3, 5])].groupby(["metric", "variant"])["mean"].mean()
    with_it, without = means["entropy", "raw"], means["entropy", "raw-drop1"]
    assert with_it < 0.1 < 1.5 < without
    assert f"entropy {with_it:.3g} (raw) and {without:.3g} (raw-drop1) nats" in line
    assert "(hosseini) and" in line


def test_nothing_is_said_where_no_token_takes_over() -> None:
    assert sinks(table_of([1, 1.5, 2])) == []
    without = table_of([100])
    assert sinks(without[without["metric"] != "first_token_norm"]) == []


def test_a_line_a_model_says_since_when() -> None:
    table = pd.concat([table_of([1, 100], 4), table_of([1, 100], 16), table_of([1, 1], 2)])
    (line,) = sinks(table)
    assert "in layers 1 at step 16 (first at step 4)" in line


@pytest.mark.parametrize(
    ("entropy", "beside"),
    [
        (["normed-renyi2-per-lnmin"], "normed-drop1-renyi2-per-lnmin"),
        (["centred", "raw"], "centred-drop1"),
    ],
)
def test_the_headline_without_the_token_is_measured_but_is_no_choice(entropy, beside) -> None:
    section = Geometry(entropy=entropy)
    assert section.metrics()["entropy"] == entropy
    assert section.measured()["entropy"] == [*entropy, beside]
    already = Geometry(entropy=["raw-drop1"], first_token_norm=["ratio"])
    assert already.measured()["entropy"] == ["raw-drop1"]
    assert already.measured()["first_token_norm"] == ["ratio", "share"]
    assert sinks(table_of([1, 100], entropy=entropy))


def test_runs_of_layers() -> None:
    assert runs([3, 1, 2, 7]) == "1–3, 7"
    assert runs([]) == ""
