"""Where to compute."""

from pathlib import Path

from geomod.base.errors import InputError


def pick(device: str) -> str:
    """The device that `auto`, `cpu` or `cuda` means on this machine."""
    import torch  # here, so that planning the jobs need not wait for it

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise InputError("`device` is 'cuda', but torch finds no GPU here; set it to auto or cpu")
    return "cuda" if device != "cpu" and available else "cpu"


def name_of(device: str) -> str:
    """What people call a device that `pick` gave: `cpu`, or the name of the GPU."""
    if device == "cpu":
        return device
    import torch

    return torch.cuda.get_device_name(device)


def gpus_per_job(device: str) -> int:
    """How many GPUs a job asks the scheduler for: `auto` counts those of this machine.

    On a cluster the machine that plans may have none where the others do: there, say `cuda`.
    """
    return int(device == "cuda" or (device == "auto" and has_gpu()))


def has_gpu() -> bool:
    """Whether this machine shows a GPU of a kind that torch calls cuda: a look at /dev, no more.

    NVIDIA's driver, AMD's, and that of Windows under WSL. Where one is there, torch has the last
    word, in the job (`pick`): to ask it takes seconds, at every start.
    """
    return any(Path("/dev", name).exists() for name in ("nvidiactl", "kfd", "dxg"))
