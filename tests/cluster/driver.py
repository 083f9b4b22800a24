"""Snakemake that looks at the queue every second: a test cannot wait as long as people do. Jobs
start with the Python that is the first argument."""

import sys

from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor

Executor.next_seconds_between_status_checks = property(
    lambda self: 1, lambda self, longer_each_time: None
)

if __name__ == "__main__":
    sys.executable = sys.argv.pop(1)
    sys.exit(main())
