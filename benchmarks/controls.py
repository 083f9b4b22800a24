"""What controls cost: CPU time of a layer's encoding models without and with them.

    PYTHONPATH=workflow python benchmarks/controls.py --width 48

Real responses are those of the demo (7 regions, 5 participants, their average, 200 permutations),
controls four kinds of 20 draws for 5 regions, 5 participants, their average and the signal.
"""

import argparse
import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from geomod.ridge.engine import encode, further

SENTENCES, REAL, CONTROLS, PERMUTATIONS = 1000, 7 * 6, 4 * 20 * 5 * 7, 200


def cpu_seconds(work: Callable[[], Any]) -> float:
    """The least of three tries."""
    tries = []
    for _ in range(3):
        start = time.process_time()
        work()
        tries.append(time.process_time() - start)
    return min(tries)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, nargs="+", default=[48, 1024])
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    known = torch.as_tensor(rng.standard_normal((SENTENCES, CONTROLS)))
    responses = rng.standard_normal((SENTENCES, REAL))
    told = {"alphas": np.logspace(-2, 8, 21), "permutations": PERMUTATIONS, "seed": 0}
    for width in options.width:
        layer = rng.standard_normal((SENTENCES, width))
        alone, both = (
            cpu_seconds(lambda x=layer, then=then: encode(x, responses, beside=then, **told))
            for then in (None, lambda fitted: further(fitted, known))
        )
        print(f"width {width}: {alone:.2f} s, controls {both - alone:.2f} s more", flush=True)


if __name__ == "__main__":
    main()
