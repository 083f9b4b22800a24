"""A Python that has its imports behind it, for the many that a test of the workflow starts.

Every job of a sweep is a Python of its own, and most of what a small one costs is the import of
libraries. A server pays for them once: for each program it forks a process that runs the file as
`python FILE …` does, with the folder, the environment and the streams of whoever asks. Nothing of
geomod is imported before: a copy of the workflow runs its own code, edited or not. In a queue, only
the Snakemake that asks for a job's step is such a fork: the step is Slurm's, to be killed by it.
"""

import atexit
import gc
import importlib
import marshal
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

# What jobs and Snakemake import themselves, now or in the middle of their work.
LIBRARIES = (
    *("snakemake.cli", "snakemake.workflow", "snakemake.executors.local", "snakemake.script"),
    *("snakemake.report.html_reporter", "docutils.core", "snakemake.scheduling.greedy"),
    *("snakemake.scheduling.milp", "snakemake.sourcecache"),
    *("snakemake_executor_plugin_slurm", "snakemake_executor_plugin_slurm_jobstep"),
    *("matplotlib.backends.backend_agg", "matplotlib.backends.backend_pdf", "matplotlib.pyplot"),
    *("matplotlib.backends.backend_svg", "seaborn", "jinja2", "vl_convert"),
    *("nibabel", "nilearn.image", "nilearn.surface", "xarray", "h5netcdf", "h5py"),
    *("numpy", "pandas", "pyarrow.parquet", "safetensors.torch", "yaml", "pydantic"),
    *("scipy.stats", "scipy.optimize", "scipy.interpolate", "scipy.cluster.hierarchy"),
    *("sklearn.isotonic", "sklearn.mixture", "sklearn.model_selection", "sklearn.metrics"),
    *("statsmodels.regression.mixed_linear_model", "ruptures", "threadpoolctl"),
    *("torch", "tokenizers", "huggingface_hub", "transformers.models.gpt_neox.modeling_gpt_neox"),
    "transformers.models.auto.modeling_auto",
)

# Stands for the interpreter: hands itself over, streams included, and ends as the fork does.
CLIENT = """#!{python} -IS
import marshal, os, socket, sys

in_queue = sys.argv[1:3] == ["-m", "snakemake"] and "slurm-jobstep" in sys.argv
if not in_queue and not os.path.isfile("".join(sys.argv[1:2])):  # `python -m …` and its like
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b"."], [0, 1, 2])
    server.sendall(marshal.dumps((os.getcwd(), dict(os.environ), sys.argv[1:])))
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(8) or b"1"))
"""


def python(environment: Mapping[str, str]) -> Path:
    """An interpreter to start programs with, in this environment or one that is like it."""
    if sys.platform != "linux":  # elsewhere libraries do not live through a fork
        return Path(sys.executable)
    # Libraries read these as they are imported.
    read = {key: value for key, value in environment.items() if key.startswith(("HF_", "OMP_"))}
    return _start(tuple(sorted(read.items())))


@cache
def _start(read: tuple[tuple[str, str], ...]) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="warm"))  # where sockets have short names
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    client, address = folder / "python", str(folder / "socket")
    client.write_text(CLIENT.format(python=sys.executable, address=address))
    client.chmod(0o755)
    server = subprocess.Popen(
        [sys.executable, __file__, address, client],
        env={**os.environ, **dict(read), "PYTHONPATH": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    assert server.stdout.readline(), "the server did not start"
    atexit.register(server.communicate)  # its input ends, and so does it
    return client


def serve(address: str) -> None:
    """Fork for each that asks, and tell it how that ended, until the input ends.

    What a program began ends with it where it is killed, though it is no child of it.
    """
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        for name in LIBRARIES:
            importlib.import_module(name)
        gc.freeze()
        print("ready", flush=True)
        events = select.poll()
        events.register(0, select.POLLIN)
        events.register(listener, select.POLLIN)
        running: dict[int, tuple[int, socket.socket]] = {}
        while 0 not in (ready := [place for place, _ in events.poll()]):
            for ended in running.keys() & set(ready):
                process, asker = running.pop(ended)
                # Only now is what the process held, as the lock of a run, held no longer.
                code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
                events.unregister(ended)
                events.unregister(asker)
                with suppress(OSError), asker:  # who was killed does not wait
                    asker.sendall(str(code).encode())
                os.close(ended)
            for process, asker in running.values():
                if asker.fileno() in ready:  # it was killed, and all that it asked for is
                    os.killpg(process, signal.SIGKILL)
            if listener.fileno() in ready:
                asker = listener.accept()[0]
                process = os.fork()
                if process == 0:
                    os.setpgid(0, 0)
                    listener.close()
                    _be_asked(asker)
                os.setpgid(process, process)
                ended = os.pidfd_open(process)
                running[ended] = process, asker
                events.register(ended, select.POLLIN)
                events.register(asker, 0)  # only whether it has gone


def _be_asked(asker: socket.socket) -> None:
    """Run what is asked for in this process, and end as it does."""
    _, streams, _, _ = socket.recv_fds(asker, 1, 3)
    with asker.makefile("rb") as request:
        folder, environment, arguments = marshal.load(request)
    for own, given in enumerate(streams):
        os.dup2(given, own)
        os.close(given)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    first = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    is_module = arguments[0] == "-m"
    own = folder if is_module else os.path.dirname(os.path.abspath(arguments[0]))
    sys.path[:1] = [own, *first]
    sys.executable = sys.orig_argv[-1]
    code = 0
    try:
        if is_module:
            sys.argv = arguments[1:]
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1])
