"""Where to compute."""

from pathlib import Path

from geomod.errors import InputError


def pick(device: str) -> str:
    """The device that `auto`, `cpu` or `cuda` means on this machine."""
    import torch  # here, so that planning the jobs need not wait for it

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise InputError("`device` is 'cuda', but torch finds no GPU here; set it to auto or cpu")
    return "cuda" if device != "cpu" and available else "cpu"


def gpus_per_job(device: str) -> int:
    """How many GPUs a job asks the scheduler for: `auto` counts those of this machine.

    On a cluster the machine that plans may have none where the others do: there, say `cuda`.
    """
    here = Path("/dev/nvidiactl").exists()
    return int(device == "cuda" or (device == "auto" and here))
