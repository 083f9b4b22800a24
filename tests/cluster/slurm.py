"""A Slurm of one node on this machine, started for the tests and ended with them."""

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CONFIG = Path("/etc/slurm/slurm.conf")  # jobs look for it there alone
MARK = "# written by the tests of geomod\n"
LOCK = Path("/run/geomod-slurm.lock")
PROGRAMS = ("sbatch", "slurmctld", "slurmd", "munged")
SETTINGS = """\
ClusterName=onebox
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
ReturnToService=2
SlurmctldPort={port}
SlurmdPort={next}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=100000,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
MinJobAge=600
KillWait=2
MessageTimeout=5
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=16000 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class NoSlurm(Exception):
    """Why no queue can be started here."""


def until(holds: Callable[[], object], what: str, patience: float = 120) -> None:
    """Wait for what is to come soon."""
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline, f"waited {patience:.0f} s for {what}"
        time.sleep(0.3)  # to ask takes two programs


def says(*command: str) -> str:
    """What a command prints, nothing where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout if done.returncode == 0 else ""


class Slurm:
    """The queue, its daemons, and the jobs in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, daemon: str, *arguments: str) -> None:
        """`slurmctld` holds the queue, `slurmd` starts jobs on the node."""
        with open(self.folder / f"{daemon}.out", "ab") as out:
            self.daemons[daemon] = subprocess.Popen(
                [f"/usr/sbin/{daemon}", "-D", *arguments], stdout=out, stderr=out
            )

    def kill(self, daemon: str) -> None:
        """As if the machine it runs on had gone."""
        self.daemons[daemon].kill()
        self.daemons[daemon].wait()

    def restart(self, daemon: str) -> None:
        """As after an update: it writes down what it knows, and comes back."""
        self.daemons[daemon].terminate()
        self.daemons[daemon].wait(30)
        self.start(daemon)
        until(self.is_ready, f"{daemon} to come back")

    def is_ready(self) -> bool:
        return says("sinfo", "--noheader", "--format=%t").strip() in ("idle", "mix", "alloc")

    def jobs(self) -> list[dict[str, str]]:
        """All jobs of the last ten minutes, as `scontrol` tells of them."""
        lines = says("scontrol", "--oneliner", "show", "job").splitlines()
        return [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in lines if "JobId=" in line]

    def running(self, rule: str) -> dict[str, str] | None:
        """A job of a rule whose script has begun."""
        for job in self.jobs():
            is_it = job.get("Comment", "").startswith(f"rule_{rule}")
            if is_it and job["JobState"] == "RUNNING" and self.script_of(job):
                return job
        return None

    def script_of(self, job: dict[str, str]) -> int | None:
        """The process of a job's own Python. While a job starts, Slurm may list processes of
        others: only one that works in the job's folder is its own."""
        for line in says("scontrol", "listpids", job["JobId"]).splitlines()[1:]:
            with suppress(OSError):
                process = Path("/proc", line.split()[0])
                words = (process / "cmdline").read_bytes().split(b"\0")
                is_script = any(b".snakemake/scripts/" in word for word in words[1:3])
                if is_script and (process / "cwd").samefile(job["WorkDir"]):
                    return int(process.name)
        return None

    def end(self) -> None:
        says("scancel", "--user=root")
        with suppress(AssertionError):
            until(lambda: not says("squeue", "--noheader"), "the last jobs", 10)
        for daemon in self.daemons.values():
            daemon.terminate()
            with suppress(subprocess.TimeoutExpired):
                daemon.wait(10)
            daemon.kill()


@contextmanager
def slurm(folder: Path) -> Iterator[Slurm]:
    """Start a queue in `folder`, or raise `NoSlurm`, which says why there can be none."""
    missing = [program for program in PROGRAMS if not _where(program)]
    if missing:
        raise NoSlurm(f"no {missing[0]} here (Debian: slurmctld slurmd slurm-client munge)")
    if os.geteuid() != 0:
        raise NoSlurm("only root can start Slurm")
    if CONFIG.exists() and not CONFIG.read_text("utf-8").startswith(MARK):
        raise NoSlurm(f"{CONFIG} is somebody else's")
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NoSlurm("other tests have started one here") from None
        munged = _start_munge()
        queue = Slurm(folder)
        try:
            _write_config(folder)
            queue.start("slurmctld", "-c")
            queue.start("slurmd")
            try:
                until(queue.is_ready, "Slurm", 30)
            except AssertionError:
                raise NoSlurm(f"Slurm does not start: {_last_words(folder)}") from None
            yield queue
        finally:
            queue.end()
            CONFIG.unlink(missing_ok=True)
            if munged:
                os.kill(munged, signal.SIGTERM)


def _where(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")


def _write_config(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    host = socket.gethostname().split(".")[0]
    with socket.socket() as one, socket.socket() as other:  # two ports that nobody has
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        ports = {"port": one.getsockname()[1], "next": other.getsockname()[1]}
    text = SETTINGS.format(host=host, folder=folder, cores=os.cpu_count(), **ports)
    CONFIG.parent.mkdir(exist_ok=True)
    CONFIG.write_text(MARK + text, encoding="utf-8")


def _start_munge() -> int | None:
    """The process of the daemon that vouches for users, where it does not run yet."""
    if says("munge", "--no-input"):
        return None
    says("install", "--directory", "--owner=munge", "--group=munge", "/run/munge")
    says("runuser", "--user", "munge", "--", "/usr/sbin/munged")
    process = Path("/run/munge/munged.pid")
    return int(process.read_text("utf-8")) if process.exists() else None


def _last_words(folder: Path) -> str:
    texts = [log.read_text("utf-8", "replace").strip() for log in sorted(folder.glob("slurm*.*"))]
    return " / ".join(text.splitlines()[-1] for text in texts if text)
