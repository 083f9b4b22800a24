"""Independent pieces of work, one a core."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from threadpoolctl import threadpool_limits

Task = TypeVar("Task")
Result = TypeVar("Result")


def in_threads(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[Result]:
    """`function` of every task, in order, `workers` of them at a time.

    Each worker computes on one core: several small factorizations side by side keep more cores
    busy than one that is spread over them, and no result depends on the number of cores.
    """
    if workers == 1:
        yield from map(function, tasks)
        return
    with (
        threadpool_limits(limits=1),
        ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        yield from pool.map(function, tasks)
    torch.set_num_threads(workers)  # what the workers set is seen by threads that come later
