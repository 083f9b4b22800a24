"""Voxel maps on a brain: glass-brain projections and slices, drawn without a download."""

from pathlib import Path
from typing import Any

import numpy as np

from geomod.base.errors import InputError
from geomod.base.extras import extra
from geomod.base.files import whole

with extra("imaging"):
    import nibabel as nib
    from nilearn import plotting

with extra("report"):
    from matplotlib.figure import Figure


# What a map shows, by the end of its name before the suffix.
KINDS = {
    "": "Pearson r",
    "change": "Pearson r less that of step 0",
    "selectivity": "Pearson r less its mean over layers",
}


def draw_map(
    source: str | Path,
    path: str | Path,
    *,
    title: str = "",
    label: str = KINDS[""],
    signed: bool = False,
    limit: float | None = None,
) -> None:
    """Draw a map in MNI space as a glass brain above slices through its highest voxel.

    `limit` is the top of the color scale, so that maps can be compared; without it, it is the
    map's highest value. The glass brain shows the highest value along each line of sight. Scores
    of 0 and below explain nothing and are not drawn, unless the map is `signed`.
    """
    image: Any = nib.load(source)
    values = np.asarray(image.dataobj, dtype=np.float32)
    if values.ndim != 3:
        raise InputError(f"{source} has the shape {values.shape}; one 3-D map is drawn at a time.")
    if not np.isfinite(values).any():
        raise InputError(f"{source} holds no value in any voxel.")
    sized = np.abs(values) if signed else values
    shown = np.nan_to_num(values if signed else np.clip(values, 0, None))
    drawn = nib.Nifti1Image(shown, image.affine)
    peak = np.unravel_index(np.nanargmax(sized), values.shape)
    top = limit or max(float(np.nanmax(sized)), 1e-6)
    figure = Figure(figsize=(9, 5))
    upper, lower = figure.subplots(2, 1, gridspec_kw={"top": 0.88, "bottom": 0.02, "hspace": 0.02})
    shared = {
        "cmap": "RdBu_r" if signed else "magma_r",
        "vmin": -top if signed else 0,
        "vmax": top,
        "threshold": 1e-9,
        "figure": figure,
    }
    plotting.plot_glass_brain(drawn, axes=upper, colorbar=True, plot_abs=False, **shared)
    cut = nib.affines.apply_affine(image.affine, peak)
    plotting.plot_stat_map(
        drawn, axes=lower, colorbar=False, cut_coords=cut, draw_cross=False, **shared
    )
    figure.suptitle(f"{title}\n{label}" if title else label, fontsize=11)
    with whole(path) as temporary:
        figure.savefig(temporary, dpi=150)
