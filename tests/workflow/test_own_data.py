"""Other brains than the simulated one, from files to tables: what a lab brings, right and wrong."""

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from nilearn import image

from geomod.base.layers import read_features
from geomod.brain.moran import moran, neighbours
from geomod.models.tokens import unfamiliar
from geomod.ridge.engine import encode
from tests.conftest import ROOT
from tests.workflow.conftest import SMALL, Workflow, environment

pytestmark = pytest.mark.slow
shares_the_finished = pytest.mark.xdist_group("dag")

REAL = ROOT.parent / "shared" / "data" / "tuckute2024"
REGIONS = ["IFGorb", "IFG", "MFG", "AntTemp", "PostTemp", "netw"]
ALPHAS = np.logspace(-1, 6, 8)


def lab(dataset: dict[str, Any], models: Workflow | None = None, **sections: Any) -> dict[str, Any]:
    """SMALL with the dataset of a lab, and one toy model at two steps, trained in `models`."""
    toy: dict[str, Any] = {"provider": "train", "sizes": ["xs"], "steps": [0, 64]}
    if models is not None:
        path = models.folder / "results/small/checkpoints/toy-{size}/step{step}"
        toy |= {"provider": "folder", "path": str(path)}
    dataset = {"name": "lab", **dataset}
    return {**SMALL, "run": "lab", "suites": {"toy": toy}, "dataset": dataset, **sections}


def table_lab(workflow: Workflow, **dataset: Any) -> pd.DataFrame:
    """Thirty sentences and the responses of three people, as files, and a config that reads them.

    The responses are returned as text, for a test to change and to write again.
    """
    rng = np.random.default_rng(0)
    items = [f"s{i:02d}" for i in range(30)]
    sentences = pd.DataFrame({"item_id": items, "sentence": [f"They saw {i}." for i in range(30)]})
    sentences.to_csv(workflow.folder / "sentences.csv", index=False)
    signal = rng.normal(size=30)
    rows = [
        (item, region, person, f"{value:.6f}")
        for region in ("IFG", "netw")
        for person in ("p1", "p2", "p3")
        for item, value in zip(items, signal + rng.normal(size=30), strict=True)
    ]
    responses = pd.DataFrame(rows, columns=["item_id", "region", "participant", "response"])
    responses.to_csv(workflow.folder / "responses.csv", index=False)
    files = {"sentences": "sentences.csv", "responses": "responses.csv"}
    workflow.write_config(lab({**files, "regions": ["IFG", "netw"], **dataset}))
    return responses


def read(workflow: Workflow, name: str) -> pd.DataFrame:
    return pd.read_parquet(workflow.folder / "results/lab" / name)


def test_a_table_as_a_spreadsheet_saves_it(fresh: Workflow) -> None:
    """Marks, line ends and gaps do not matter; gaps are counted; ceilings may be published ones."""
    responses = table_lab(fresh, ceiling="published.csv")
    responses.loc[[3, 40], "response"] = ["", "NaN"]
    path = fresh.folder / "responses.csv"
    responses.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\r\n")
    (fresh.folder / "published.csv").write_text("region,ceiling\nnetw,0.6\nIFG,0.5\n")
    fresh.run("results/lab/data/lab/notes.json")
    notes = json.loads((fresh.folder / "results/lab/data/lab/notes.json").read_text("utf-8"))
    assert "2 of 180 responses are empty or NaN" in notes[0]
    ceilings = read(fresh, "data/lab/ceiling.parquet").query("participant == 'average'")
    assert dict(zip(ceilings["region"], ceilings["ceiling"], strict=True)) == {
        "IFG": 0.5,
        "netw": 0.6,
    }
    (fresh.folder / "published.csv").write_text("region,ceiling\nnetw,0.7\nIFG,0.5\n")
    assert fresh.planned("results/lab/data/lab/notes.json") == {"brain": 1}
    files = {"sentences": "sentences.csv", "responses": "responses.csv"}
    fresh.write_config(lab({**files, "regions": ["netw"], "ceiling": "split_half"}))
    assert fresh.planned("results/lab/data/lab/notes.json") == {"brain": 1}  # and no forward pass


def test_jobs_import_the_geomod_beside_their_rules(fresh: Workflow, tmp_path: Path) -> None:
    """Whatever else of that name is installed, as a clone is in the Python that `make` builds."""
    table_lab(fresh)
    (tmp_path / "elsewhere/geomod").mkdir(parents=True)
    (tmp_path / "elsewhere/geomod/__init__.py").write_text("raise ImportError('another clone')")
    shell = {**environment(), "PYTHONPATH": str(tmp_path / "elsewhere")}
    fresh.run("results/lab/data/lab/stimuli.parquet", shell=shell)
    assert len(read(fresh, "data/lab/stimuli.parquet")) == 30


def test_wrong_responses_fail_in_words_and_leave_nothing(fresh: Workflow) -> None:
    """One fault of many: tests/unit/brain/test_tables.py has the others and their words."""
    rows = table_lab(fresh).replace("s07", "s99")
    rows.to_csv(fresh.folder / "responses.csv", index=False)
    assert "item_id 's99' is not among the sentences" in refused(fresh)
    assert (fresh.folder / "results/lab/data/lab/stimuli.parquet").is_file()
    left = (fresh.folder / "results/lab/data/lab").iterdir()
    assert [path.name for path in left] == ["stimuli.parquet"]


def test_wrong_sentences_fail_in_words_and_leave_nothing(fresh: Workflow) -> None:
    """One fault of many: tests/unit/brain/test_stimuli.py has the others and their words."""
    table_lab(fresh)
    (fresh.folder / "sentences.csv").write_bytes("item_id,sentence\ns00,café\n".encode("latin-1"))
    assert "row 2: not UTF-8" in refused(fresh)
    assert not (fresh.folder / "results/lab/data/lab/stimuli.parquet").exists()


def refused(workflow: Workflow) -> str:
    """What a person sees on the screen when the data are wrong."""
    done = workflow.run("results/lab/data/lab/notes.json", check=False)
    assert done.returncode == 1
    output = done.stdout + done.stderr
    assert "Traceback" not in output
    return output


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address under which this machine serves it."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    web = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{web.server_port}"
    web.shutdown()
    web.server_close()


def pack(archive: Path, path: Path) -> None:
    with tarfile.open(archive, "w") as tar:
        content = path.read_bytes()
        entry = tarfile.TarInfo(f"release/{path.name}")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))


def test_data_come_from_their_archive_and_are_held_to_it(
    fresh: Workflow, server: tuple[Path, str]
) -> None:
    served, address = server
    archive = {"url": f"{address}/data.tar", "folder": "data/lab", "files": ["responses.csv"]}
    table_lab(fresh, responses="data/lab/responses.csv", download=archive)
    path = fresh.folder / "responses.csv"
    pack(served / "data.tar", path)
    expected = path.read_bytes()
    path.unlink()
    fresh.run("results/lab/data/lab/notes.json")
    assert (fresh.folder / "data/lab/responses.csv").read_bytes() == expected
    assert (fresh.folder / "data/lab/data.tar.sha256").is_file()
    assert fresh.planned("results/lab/data/lab/notes.json") == {}

    served.joinpath("changed.csv").write_text("item_id\n")
    pack(served / "data.tar", served / "changed.csv")
    for name in ("responses.csv", "data.tar"):
        (fresh.folder / "data/lab" / name).unlink()
    done = fresh.run("data/lab/responses.csv", check=False)
    assert done.returncode == 1
    assert "it is not the file that results were computed from before" in done.stdout + done.stderr
    assert [path.name for path in (fresh.folder / "data/lab").iterdir()] == ["data.tar.sha256"]


def test_a_file_may_lie_on_the_web_alone(fresh: Workflow, server: tuple[Path, str]) -> None:
    served, address = server
    file = {"url": f"{address}/responses.csv", "folder": "data", "files": ["responses.csv"]}
    table_lab(fresh, responses="data/responses.csv", download=file)
    (fresh.folder / "responses.csv").rename(served / "responses.csv")
    fresh.run("results/lab/data/lab/notes.json")
    assert (fresh.folder / "data/responses.csv.sha256").is_file()


@shares_the_finished
def test_an_assembly_in_passages_by_region_and_by_voxel(
    fresh: Workflow, finished: Workflow
) -> None:
    """Its own sentences, its passages kept together in folds, its voxels as a table."""
    rng = np.random.default_rng(0)
    passages = np.repeat([f"passage_{i}" for i in range(8)], 4)
    subjects = np.repeat(["018", "199"], 3)
    coords = {
        "stimulus_id": ("presentation", [f"s{i}" for i in range(32)]),
        "stimulus": ("presentation", [f"This is sentence {i}." for i in range(32)]),
        "passage_label": ("presentation", passages),
        "neuroid_id": ("neuroid", np.arange(6)),
        "subject": ("neuroid", subjects),
    }
    drift = np.arange(32)[:, None] / 8
    values = drift + rng.normal(size=(32, 6))
    array = xr.DataArray(values, dims=("presentation", "neuroid"), coords=coords)
    array.to_dataset(name="data").to_netcdf(fresh.folder / "small.nc", engine="h5netcdf")
    fresh.write_config(
        lab(
            {"assembly": "small.nc", "regions": ["language"]},
            finished,
            encoding={**SMALL["encoding"], "group_by": "group"},
            maps={"models": ["toy-xs"], "steps": [64], "layers": [1], "participants": ["199"]},
        )
    )
    fresh.run("results/lab/tables/encoding.parquet", "voxel_maps")
    assert list(read(fresh, "data/lab/stimuli.parquet")["group"]) == list(passages)
    path = fresh.folder / "results/lab/toy-xs/step64/lab/features.safetensors"
    features = read_features(path)[1]
    found = encode(features, values.astype(np.float32), alphas=ALPHAS, groups=passages)
    voxels = read(fresh, "maps/toy-xs/step64/lab/sub-199_layer01.parquet")
    assert list(voxels["neuroid"]) == [3, 4, 5]
    np.testing.assert_allclose(voxels["score"], found.score[0, 3:], atol=1e-6)
    average = values.reshape(32, 2, 3).mean(axis=(1, 2))
    expected = encode(features, average[:, None], alphas=ALPHAS, groups=passages)
    table = read(fresh, "tables/encoding.parquet")
    row = table.query("step == 64 and layer == 1 and participant == 'average'")
    assert row["score"].item() == pytest.approx(expected.score.item(), abs=1e-5)


@shares_the_finished
def test_maps_of_voxels_lie_where_the_betas_lie(like_finished: Workflow) -> None:
    maps = {"models": ["toy-s"], "steps": [128], "layers": [2], "participants": ["02"]}
    like_finished.write_config({**SMALL, "maps": maps})
    assert like_finished.planned("voxel_maps") == {
        "voxel_map": 1,
        "voxel_figure": 1,
        "moran": 1,
        "moran_table": 1,
        "voxel_maps": 1,
    }
    like_finished.run("voxel_maps")
    results = like_finished.folder / "results/small"
    found: Any = nib.load(results / "maps/toy-s/step128/toy-world/sub-02_layer02.nii.gz")
    betas: Any = nib.load(results / "data/toy-world/world/sub-02.nii.gz")
    parcels: Any = nib.load(results / "data/toy-world/world/parcels.nii.gz")
    np.testing.assert_array_equal(found.affine, parcels.affine)
    assert image.load_img(found).shape == parcels.shape
    scores, inside = found.get_fdata(), parcels.get_fdata() > 0
    assert np.isfinite(scores[inside]).all()
    assert np.isnan(scores[~inside]).all()
    features = read_features(results / "toy-s/step128/toy-world/features.safetensors")[2]
    for x, y, z in np.argwhere(inside)[[0, -1]]:
        response = np.asarray(betas.dataobj[x, y, z, :], dtype=np.float32)
        expected = encode(features, response[:, None], alphas=ALPHAS).score.item()
        assert scores[x, y, z] == pytest.approx(expected, abs=1e-5)
    table = pd.read_parquet(results / "data/toy-world/tables/moran.parquet")
    places = np.flatnonzero(inside.ravel(order="F"))
    weights = neighbours(places, inside.shape)
    assert table["map"].tolist() == ["score"]
    assert table["i"].item() == pytest.approx(moran(scores.ravel(order="F")[places], weights))
    picture = results / "maps/toy-s/step128/toy-world/sub-02_layer02.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


@shares_the_finished
@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real responses are not at {REAL}")
def test_real_responses_from_sentences_to_report(fresh: Workflow, finished: Workflow) -> None:
    """A toy model knows a made-up language: a mean over tokens tells a sentence's length, no more.

    That says something about real brains, and much less than their ceilings allow.
    """
    fresh.write_config(
        lab(
            {
                "sentences": str(REAL / "roi_responses_lh.csv"),
                "responses": str(REAL / "roi_responses_lh.csv"),
                "regions": REGIONS,
                "ceiling": str(REAL / "noise_ceilings.csv"),
                "columns": {"region": "roi", "ceiling": "nc"},
            },
            finished,
            features={"pooling": "mean"},
        )
    )
    fresh.run("tables", "claims")
    table = read(fresh, "tables/encoding.parquet")
    assert len(table) == 2 * 3 * len(REGIONS)  # steps × layers × regions
    assert (table["score"] < 0.9 * table["ceiling"]).all()
    assert table["score"].between(-0.15, 0.3).all()
    assert table.query("region == 'netw'")["score"].max() > 0.02
    np.testing.assert_allclose(table["score_normalized"], table["score"] / table["ceiling"])
    assert (
        read(fresh, "data/lab/stimuli.parquet")["sentence"][0] == "Taste that fowl and those fish."
    )
    said = " ".join(unfamiliar(read(fresh, "tables/tokens.parquet")))
    assert "of the tokens are unknown, or single bytes or letters" in said
