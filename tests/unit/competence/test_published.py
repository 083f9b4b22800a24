"""Evaluations as Pythia's are published: which model and step, which generation, what is known."""

import json

import numpy as np
import pytest

from geomod.base.errors import InputError
from geomod.competence.published import Published, read_published


def v1(size="70m", step=512, shots=0, **results):
    return {
        "results": results,
        "versions": dict.fromkeys(results, 0),
        "config": {
            "model": "hf-causal",
            "model_args": f"use_accelerate=True,pretrained=EleutherAI/pythia-v1.1-{size},"
            f"revision=step{step}",
            "num_fewshot": shots,
            "bootstrap_iters": 100000,
        },
    }


def v0(shots=0, **results):
    config = {"model": "neox", "model_args": {"num_layers": 6}, "num_fewshot": shots}
    return {"results": results, "versions": {}, "config": config}


def accuracy(p, n, norm=None):
    found = {"acc": p, "acc_stderr": float(np.sqrt(p * (1 - p) / (n - 1)))}
    return found if norm is None else {**found, "acc_norm": norm, "acc_norm_stderr": 0.01}


@pytest.fixture
def published(tmp_path):
    def make(files, pattern="**/*.json", **more):
        for name, values in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(values if isinstance(values, str) else json.dumps(values))
        return read_published(Published("published", [str(tmp_path / pattern)], **more))

    return make


EASY = accuracy(0.35, 2376, norm=0.3)


def test_a_row_a_task(published):
    virology = accuracy(0.25, 166, norm=0.24)
    files = {
        "70m_step512.json": v1(
            arc_easy=EASY,
            crows_pairs_english={"pct_stereotype": 0.5, "pct_stereotype_stderr": 0.01},
            **{"hendrycksTest-virology": virology},
            lambada_openai={"ppl": 100.0, "ppl_stderr": 1.0, "acc": 0.0, "acc_stderr": 0.0},
            something_new={"acc": 0.5, "acc_stderr": 0.1},
        )
    }
    found = published(files).set_index("task")
    assert list(found.index) == ["arc_easy", "hendrycksTest-virology", "lambada_openai"]
    assert found["model"].eq("pythia-70m").all()
    assert found["step"].eq(512).all()
    assert found["family"].eq("functional").all()
    assert found["source"].eq("published v1").all()
    assert found["chance"].tolist() == [0.25, 0.25, 0.0]
    assert found["n"].tolist() == [2376, 166, 5153]
    assert found.loc["arc_easy", ["score", "alternative"]].tolist() == [0.35, 0.3]
    assert np.isnan(found.loc["lambada_openai", "alternative"])


def test_the_two_generations_are_told_apart(published):
    files = {
        "v0/pythia-70m-0shot-global_step3000_eval_results_11-25-2022-06-49-01.json": v0(
            arc_easy=EASY, blimp_passive_1=accuracy(0.8, 1000)
        ),
        "v1/70m_step3000.json": v1(step=3000, arc_easy=EASY),
    }
    found = published(files)
    assert found[["model", "source", "task", "family"]].to_numpy().tolist() == [
        ["pythia-70m-v0", "published v0", "arc_easy", "functional"],
        ["pythia-70m-v0", "published v0", "blimp_passive_1", "formal"],
        ["pythia-70m", "published v1", "arc_easy", "functional"],
    ]
    assert found["n"].tolist() == [2376, 1000, 2376]


@pytest.mark.parametrize(
    ("name", "size", "model"),
    [
        ("70m-deduped_step2.json", "70m-deduped", "pythia-deduped-70m"),
        ("1b-bf16_step2.json", "1b-bf16", "pythia-1b"),
        ("1b-bf16-5shot_step2.json", "1b-bf16", "pythia-1b"),  # a zero-shot file by its content
        ("renamed.json", "2.8b", "pythia-2.8b"),
    ],
)
def test_models_are_called_as_in_the_run(published, name, size, model):
    found = published({name: v1(size, 2, arc_easy=EASY)})
    assert found[["model", "step"]].to_numpy().tolist() == [[model, 2]]


def test_models_may_be_called_otherwise(published):
    files = {"70m_step2.json": v1(step=2, arc_easy=EASY)}
    assert published(files, models={"70m": "mine-small"})["model"].tolist() == ["mine-small"]


def test_examples_before_the_questions_make_another_test(published):
    files = {
        "a/70m_step2.json": v1(step=2, arc_easy=EASY),
        "b/70m-5shot_step2.json": v1(step=2, shots=5, arc_easy=EASY),
    }
    assert len(published(files)) == 1
    with pytest.raises(InputError, match="hold no zero-shot accuracy"):
        published({}, "b/*.json")


def test_tasks_are_chosen_by_name(published):
    files = {"70m_step2.json": v1(step=2, arc_easy=EASY, piqa=accuracy(0.6, 1838))}
    assert published(files, tasks=["piqa"])["task"].tolist() == ["piqa"]
    with pytest.raises(InputError, match=r"competence.published.tasks`: no file has 'arc_hard'"):
        published(files, tasks=["piqa", "arc_hard"])


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("70m_step2.json", {"results": {}}, "70m_step2.json: this is no evaluation"),
        ("x.json", {"results": {}, "config": {"num_fewshot": 0}}, "neither its name .* nor its"),
        ("70m_step2.json", v1(arc_easy={"acc": "high"}), "acc of arc_easy is 'high'"),
        ("70m_step2.json", v1(arc_easy={"acc": 1.5}), "acc of arc_easy is 1.5, not a number from"),
        ("70m_step2.json", '{"results": {', "is no JSON"),
    ],
)
def test_a_file_that_cannot_be_is_named(published, name, values, message):
    with pytest.raises(InputError, match=message):
        published({name: values})
