"""What becomes of a sweep in which something breaks, and does the same command end it?

    PYTHONPATH=. python benchmarks/plan/faults.py --kills 50 --seed 0

A small demo of all stages is run once undisturbed. Then, again and again, a part of its results is
taken away, and while it is made anew something breaks: any process of the run is killed at any
moment, a job is stopped for a while, the disk is full or cannot be written to, the run is started
twice, a file is damaged or is another. After each the same command is given once more. It must end
well, with the bytes of the undisturbed run in every table, figure and claim, and leave nothing
half-written.

Prints a row a fault: how often, how the disturbed runs ended and with what words, and how often the
second was right. Full and read-only disks are made with `mount`, which needs root.
"""

import argparse
import copy
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.workflow.conftest import SMALL, Workflow, copy_workflow, environment

TINY = copy.deepcopy(SMALL) | {"run": "tiny", "alignment": {}}
TINY["suites"]["toy"] |= {"sizes": ["xs"], "steps": [0, 1, 16, 64]}
TINY["dataset"]["simulate"] |= {"sentences": 60, "participants": 2}
TINY["encoding"] |= {"permutations": 5}
TINY["jobs"] = {"steps_per_job": 2}
TINY["inference"] = {"permutations": 20, "bootstrap": 20, "null_draws": 5}
COMMAND = ("--quiet", "rules")
# What is taken away, and how often, with all that is made from it: a file that nothing needs is
# not made.
PAGE = ("figures", "report.html")
TABLES = ("data/toy-world/tables", "data/toy-world/claims.json", "tables", "claims.json", *PAGE)
FEATURES = ("toy-xs", *TABLES)
PARTS = {(".",): 1, FEATURES: 3, TABLES: 3, PAGE: 1}
TIMES = ("benchmarks/", "report.html", ".", "run.json")  # what two runs may differ in
APART = (".pdf", ".png", ".damaged")  # the first have times in them, the last are set aside
TEMPORARY = re.compile(r"\.\d+\.")


class Run:
    """One start of the workflow, whose processes can be reached."""

    def __init__(self, workflow: Workflow) -> None:
        self.said = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self.process = subprocess.Popen(
            workflow.command(*COMMAND, config="tiny.yaml"),
            cwd=workflow.folder,
            env=environment(),
            stdout=self.said,
            stderr=subprocess.STDOUT,
        )

    def processes(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            driver = psutil.Process(self.process.pid)
            return [driver, *driver.children(recursive=True)]
        return []

    def job(self) -> psutil.Process | None:
        """A process that computes."""
        return next((each for each in self.processes() if ".snakemake/scripts" in name(each)), None)

    def end(self) -> tuple[int, str]:
        """Its exit code, and its last words."""
        code = self.process.wait(900)
        self.said.seek(0)
        text = self.said.read()
        if "Traceback" in text:
            return code, f"TRACEBACK {text[text.index('Traceback') :]}"
        return code, (text.strip().splitlines() or [""])[-1]


def name(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


class Bench:
    """A finished run, and copies of it in which things break."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.whole = copy_workflow(folder / "whole")
        self.whole.write_config(TINY, "tiny.yaml")
        self.took: dict[tuple[str, ...], float] = {}
        self._run_well(self.whole)
        self.expected = self.content(self.whole)

    def _run_well(self, workflow: Workflow) -> float:
        start = time.monotonic()
        code, words = Run(workflow).end()
        assert code == 0, words
        return time.monotonic() - start

    @staticmethod
    def content(workflow: Workflow) -> dict[str, bytes]:
        results = workflow.folder / "results/tiny"
        files = {path.relative_to(results).as_posix(): path for path in results.rglob("*")}
        return {
            name: path.read_bytes()
            for name, path in files.items()
            if path.is_file() and not name.startswith(TIMES) and not name.endswith(APART)
        }

    def part(self) -> tuple[str, ...]:
        return self.rng.choices([*PARTS], weights=[*PARTS.values()])[0]

    @contextmanager
    def without(self, part: tuple[str, ...], folder: Path | None = None) -> Iterator[Workflow]:
        """A copy of the run in which a part is still to be made."""
        folder = folder or self.folder / "copy"
        shutil.copytree(
            self.whole.folder, folder, copy_function=shutil.copy2, dirs_exist_ok=True, symlinks=True
        )
        workflow = Workflow(folder)
        for name in part:
            path = (folder / "results/tiny" / name).resolve()
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        yield workflow
        for process in psutil.process_iter(["cwd"]):  # jobs of drivers that were killed
            if process.info["cwd"] == str(folder):
                process.kill()
        shutil.rmtree(folder, ignore_errors=True)

    def how_long(self, part: tuple[str, ...]) -> float:
        """Seconds of the run that makes a part."""
        if part not in self.took:
            with self.without(part) as workflow:
                self.took[part] = self._run_well(workflow)
        return self.took[part]

    def ends_well(self, workflow: Workflow) -> str:
        """Give the command once more: nothing, or what is wrong."""
        code, words = Run(workflow).end()
        if code != 0:
            return f"exit code {code}: {words}"
        found = self.content(workflow)
        if other := [
            key for key in {*found, *self.expected} if found.get(key) != self.expected.get(key)
        ]:
            return f"other bytes: {', '.join(sorted(other)[:4])}"
        if left := [
            path.name for path in workflow.folder.rglob(".*") if TEMPORARY.match(path.name)
        ]:
            return f"left behind: {', '.join(left[:4])}"
        return ""

    def moment(self, part: tuple[str, ...]) -> None:
        """Wait until any moment of the run that makes a part."""
        time.sleep(self.rng.uniform(0, self.how_long(part)))


End = tuple[str, str]  # how a disturbed run ended, what was wrong after the next
Fault = Callable[[Bench], Iterator[End]]


def killed(bench: Bench) -> Iterator[End]:
    """Any process of the run, Snakemake among them, at any moment: again and again in one sweep,
    with the same command after each, until it has ended well in spite of it."""
    part = bench.part()
    longest = bench.how_long(part) / 2
    with bench.without(part) as workflow:
        ends, code = [], 1
        while code != 0:
            run = Run(workflow)
            time.sleep(bench.rng.uniform(0, longest))
            processes = run.processes()
            if processes:
                chosen = bench.rng.choice(processes)
                ends.append(kind_of(chosen, run))
                with suppress(psutil.NoSuchProcess):
                    chosen.kill()
            code, words = run.end()
            if words.startswith("TRACEBACK"):
                ends[-1] += f", {words[:300]}"
        wrong = bench.ends_well(workflow)
        yield from ((end, wrong) for end in ends)


def kind_of(process: psutil.Process, run: Run) -> str:
    if process.pid == run.process.pid:
        return "Snakemake"
    return "a job" if ".snakemake/scripts" in name(process) else "a helper"


def killed_all(bench: Bench) -> Iterator[End]:
    """All processes at once, as when the machine loses power."""
    part = bench.part()
    bench.how_long(part)
    with bench.without(part) as workflow:
        run = Run(workflow)
        bench.moment(part)
        for process in run.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        run.process.wait()
        yield "all", bench.ends_well(workflow)


def stopped(bench: Bench) -> Iterator[End]:
    """A job, for ten seconds (SIGSTOP, SIGCONT)."""
    part = FEATURES
    with bench.without(part) as workflow:
        run = Run(workflow)
        chosen = None
        while chosen is None and run.process.poll() is None:
            time.sleep(bench.rng.uniform(0, 3))
            chosen = run.job()
        if chosen:
            with suppress(psutil.NoSuchProcess):
                chosen.send_signal(signal.SIGSTOP)
                time.sleep(10)
                chosen.send_signal(signal.SIGCONT)
        code, _ = run.end()
        yield f"exit code {code}", bench.ends_well(workflow)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        while subprocess.run(["umount", str(folder)], capture_output=True, check=False).returncode:
            time.sleep(0.5)


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def size_of(folder: Path) -> int:
    """Bytes on a disk of pages."""
    return sum(4096 * (1 + path.lstat().st_size // 4096) for path in folder.rglob("*"))


def full(bench: Bench) -> Iterator[End]:
    """The disk of the whole folder, at any point of the run; then there is room."""
    part = (".",)
    whole = size_of(bench.whole.folder)
    made = size_of(bench.whole.folder / "results/tiny")
    with (
        small_disk(bench.folder / "disk", 2 * whole) as disk,
        bench.without(part, disk / "copy") as workflow,
    ):
        room = int(size_of(workflow.folder) + bench.rng.uniform(0, 1) * made)
        mount("-o", f"remount,size={room}", str(disk))
        code, words = Run(workflow).end()
        mount("-o", f"remount,size={2 * whole}", str(disk))
        yield in_words(code, words), bench.ends_well(workflow)


def read_only(bench: Bench) -> Iterator[End]:
    """The disk of the results, from the start."""
    disk = bench.folder / "copy/results"
    with small_disk(disk, 10 * size_of(bench.whole.folder)), bench.without(FEATURES) as workflow:
        mount("-o", "remount,ro", str(disk))
        code, words = Run(workflow).end()
        mount("-o", "remount,rw", str(disk))
        yield in_words(code, words), bench.ends_well(workflow)


def forbidden(bench: Bench) -> Iterator[End]:
    """Every folder of the results, from any moment on (`chattr`, which binds root too)."""
    part = FEATURES
    bench.how_long(part)
    with bench.without(part) as workflow:
        run = Run(workflow)
        bench.moment(part)
        folders = [str(path) for path in (workflow.folder / "results").rglob("*") if path.is_dir()]
        subprocess.run(["chattr", "+i", *folders], check=True)
        code, words = run.end()
        subprocess.run(["chattr", "-i", *folders], check=True)
        yield in_words(code, words), bench.ends_well(workflow)


def twice(bench: Bench) -> Iterator[End]:
    """Two starts of one run in one folder at the same time."""
    with bench.without(FEATURES) as workflow:
        runs = [Run(workflow)]
        time.sleep(bench.rng.uniform(0, 2))
        runs.append(Run(workflow))
        ends = sorted((run.end() for run in runs), key=lambda end: end[0])
        wrong = "" if ends[0][0] == 0 and ends[1][0] == 1 else f"both: {ends}"
        yield in_words(*ends[1]), wrong or bench.ends_well(workflow)


def damaged(bench: Bench) -> Iterator[End]:
    """A file, flipped in one bit, cut, or that of another step, as soon as it is there."""
    chosen = bench.rng.choice(("features.safetensors", "grams.safetensors", "tokens.parquet"))
    harm = bench.rng.choice((flip, cut, swap))
    with bench.without(FEATURES) as workflow, load():
        path = workflow.folder / "results/tiny/toy-xs/step16/toy-world" / chosen
        run = Run(workflow)
        while not path.exists() and run.process.poll() is None:
            time.sleep(0.02)
        if path.exists():
            harm(path)
        code, words = run.end()
        yield f"{harm.__name__}: {in_words(code, words)}", bench.ends_well(workflow)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def swap(path: Path) -> None:
    other = Path(str(path).replace("step16", "step64"))
    while not other.exists():
        time.sleep(0.02)
    shutil.copyfile(other, path)


@contextmanager
def load() -> Iterator[None]:
    """Other work on every core."""
    busy = [
        subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count() or 1)
    ]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def in_words(code: int, words: str) -> str:
    return f"exit code {code}: {re.sub(r'[^ ]*/results/', 'results/', words)[:160]}"


FAULTS: dict[str, tuple[Fault, int]] = {
    "killed": (killed, 50),
    "killed_all": (killed_all, 10),
    "stopped": (stopped, 5),
    "full": (full, 8),
    "read_only": (read_only, 2),
    "forbidden": (forbidden, 5),
    "twice": (twice, 5),
    "damaged": (damaged, 10),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "faults", nargs="*", help=f"of {', '.join(FAULTS)}; all where none is named"
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--times", type=int, help="how often every other fault; else 5 to 10")
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="geomod-faults-") as folder:
        bench = Bench(Path(folder), random.Random(told.seed))
        print(
            "| fault | the disturbed run ended with | times | right afterwards |\n|---|---|--:|--:|"
        )
        for fault in told.faults or FAULTS:
            function, times = FAULTS[fault]
            times = told.kills if fault == "killed" else told.times or times
            ends: Counter[str] = Counter()
            right: Counter[str] = Counter()
            while ends.total() < times:
                for end, wrong in function(bench):
                    ends[end] += 1
                    right[end] += not wrong
                    if wrong:
                        print(f"WRONG {fault}, {end}: {wrong}", flush=True)
            for end, count in sorted(ends.items()):
                print(f"| {fault} | {end} | {count} | {right[end]} |", flush=True)


if __name__ == "__main__":
    main()
