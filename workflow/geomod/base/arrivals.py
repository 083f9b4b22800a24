"""Numbers that come from a GPU while it goes on computing."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

# Copies under way at once, each with its place in the machine's pinned memory.
UNDER_WAY = 64


class Arrivals:
    """Hands values on to where they belong as they arrive, in the order in which they were sent.

    To fetch a result from a GPU at once is to wait until all that it was given before is done. Here
    it is copied by a stream of its own, while the next layers are computed, and taken up once it
    has come. On a CPU values are there already, and handed on at once.
    """

    def __init__(self) -> None:
        self._coming: deque[tuple[Any, NDArray[Any], Callable[[NDArray[Any]], None]]] = deque()
        self._streams: dict[Any, Any] = {}

    def send(self, values: "Tensor", put: Callable[[NDArray[Any]], None]) -> None:
        """Call `put` with `values` as an array, now or later."""
        if values.device.type == "cpu":
            put(values.numpy())
            return
        import torch

        copying = self._streams.setdefault(values.device, torch.cuda.Stream(values.device))
        copying.wait_stream(torch.cuda.current_stream(values.device))
        with torch.cuda.stream(copying):
            here = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            here.copy_(values, non_blocking=True)
            values.record_stream(copying)  # its memory is not given away before that
            self._coming.append((copying.record_event(), here.numpy(), put))
        while len(self._coming) > UNDER_WAY:
            self._take()

    def wait(self) -> None:
        """Until all that was sent has been put."""
        while self._coming:
            self._take()

    def _take(self) -> None:
        arrived, values, put = self._coming.popleft()
        arrived.synchronize()
        put(values)
