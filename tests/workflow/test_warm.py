"""Programs end as they do in a Python of their own, whatever was imported before them."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.workflow import warm
from tests.workflow.conftest import environment

PROGRAMS = {
    "what it is told": "import os, sys; print(sys.argv, os.getcwd(), os.environ['LAB'], __name__)",
    "where it imports from": "import sys; print(sys.path[:3])",
    "what it reads": "print(input())",
    "both streams": "import sys; print('out'); print('err', file=sys.stderr)",
    "a code": "import sys; sys.exit(3)",
    "nothing said": "import sys; sys.exit()",
    "words": "import sys; sys.exit('why')",
    "an error": "raise ValueError('why')",
    "last words": "import atexit; atexit.register(print, 'last')",
    "a thread": "import threading, time\n"
    "threading.Thread(target=lambda: (time.sleep(.1), print('late'))).start()",
    "no geomod yet": "import sys; print([name for name in sys.modules if 'geomod' in name])",
    "a Python of its own": "import subprocess, sys\n"
    "print(subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True).stdout)",
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_ends_as_in_a_python_of_its_own(tmp_path: Path, program: str) -> None:
    (tmp_path / "program.py").write_text(PROGRAMS[program], encoding="utf-8")
    shell = {**environment(), "LAB": "here", "PYTHONPATH": str(tmp_path / "first")}
    own, forked = (
        subprocess.run(
            [python, "program.py", "one"],
            cwd=tmp_path,
            env=shell,
            input="given\n",
            capture_output=True,
            text=True,
            check=False,
        )
        for python in (sys.executable, warm.python(shell))
    )
    assert (forked.returncode, forked.stdout) == (own.returncode, own.stdout)
    assert forked.stderr.splitlines()[-1:] == own.stderr.splitlines()[-1:]


def test_what_a_program_began_ends_with_it_where_it_is_killed(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(
        "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)"
    )
    begin = "import subprocess, sys; subprocess.run([sys.executable, 'job.py'])"
    (tmp_path / "program.py").write_text(begin, encoding="utf-8")
    command = [warm.python(environment()), "program.py"]
    program = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE)
    assert program.stdout is not None
    job = Path("/proc", program.stdout.readline().decode().strip())
    assert job.exists()
    program.kill()
    program.wait()
    deadline = time.monotonic() + 20
    while job.exists():
        assert time.monotonic() < deadline, "the job goes on"
        time.sleep(0.05)
