"""What jobs took is read as Snakemake wrote it."""

import math

from geomod.base.benchmarks import COLUMNS, read_benchmarks
from geomod.plan.grid import Paths

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def test_every_job_is_a_row_with_its_stage_its_time_and_its_memory(tmp_path):
    paths = Paths("run", str(tmp_path))
    jobs = {
        ("encoding", "toy-xs/toy-world/0"): "12.5\t0:00:12\t812.4\t1\t1\t1\t0\t0\t99.1\t11.9\n",
        ("figures", "all"): "0.3\t0:00:00\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tNA\n",
    }
    for (stage, job), line in jobs.items():
        file = tmp_path / paths.benchmark(stage, job)
        file.parent.mkdir(parents=True)
        file.write_text(HEADER + line)
    found = read_benchmarks(tmp_path)
    assert [*found.columns] == COLUMNS
    assert found.iloc[0].tolist() == ["encoding", "toy-xs/toy-world/0", 12.5, 812.4, 11.9]
    assert found.iloc[1, :3].tolist() == ["figures", "all", 0.3]
    assert all(map(math.isnan, found.iloc[1, 3:]))


def test_a_run_without_such_files_has_no_rows(tmp_path):
    assert read_benchmarks(tmp_path).columns.tolist() == COLUMNS
    assert read_benchmarks(tmp_path).empty
