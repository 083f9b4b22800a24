"""Independent pieces of work, one a core."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import local
from typing import TypeVar

import torch
from threadpoolctl import ThreadpoolController

Task = TypeVar("Task")
Result = TypeVar("Result")


def in_threads(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[Result]:
    """`function` of every task, in order, `workers` of them at a time.

    Each worker computes on one core: several small factorizations side by side keep more cores
    busy than one that is spread over them, and no result depends on the number of cores.
    """
    with _libraries().limit(limits=1):
        if workers == 1:
            yield from map(function, tasks)
            return
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(function, tasks)
    torch.set_num_threads(workers)  # what the workers set is seen by threads that come later


@cache
def _libraries() -> ThreadpoolController:
    """The numerical libraries that have threads of their own; to look for them takes a while."""
    return ThreadpoolController()


def on_streams(function: Callable[[Task], Result]) -> Callable[[Task], Result]:
    """`function` for threads that share a GPU: each gives its work to a stream of its own.

    What one thread waits for then does not stop the others. The function must return numbers that
    have left the GPU, and what is on it already is finished first.
    """
    # PyTorch sets up the linear algebra of a GPU when it is first asked for, by one thread alone.
    torch.linalg.eigh(torch.eye(2, device="cuda"))
    torch.cuda.synchronize()
    own = local()

    def run(task: Task) -> Result:
        if not hasattr(own, "stream"):
            own.stream = torch.cuda.Stream()
        with torch.cuda.stream(own.stream):
            return function(task)

    return run
