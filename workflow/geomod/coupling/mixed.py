"""The mixed model of alignment, and prediction of a size that was left out."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from geomod.coupling.within_depth import residuals
from geomod.curves.curves import FORMAL, FUNCTIONAL, Curves
from geomod.curves.estimates import network_score
from geomod.curves.settings import Settings

Array = NDArray[np.float64]

PREDICTORS = ("curvature", "entropy")


def long_table(curves: Sequence[Curves], settings: Settings) -> pd.DataFrame:
    """One row a model, step and block: time, depth, the network's score, predictors and controls.

    Formal and functional competence are controls where all models have them. The last two are
    z-scored. Rows with a gap are left out, and controls that do not vary or are missing somewhere.
    """
    known = [n for n in (FORMAL, FUNCTIONAL) if all(n in c.competence for c in curves)]
    tables = []
    for c in curves:
        score = network_score(c, settings)
        shape = score.shape
        columns = {
            "model": np.full(shape, c.model),
            "layer": np.broadcast_to(c.layers, shape),
            "time": np.broadcast_to(c.time[:, None], shape),
            "depth": np.broadcast_to(c.depth, shape),
            "score": score,
            "entropy": c.metrics["entropy"],
            "curvature": c.metrics["curvature"],
            **c.controls,
            **{name: np.broadcast_to(c.competence[name][:, None], shape) for name in known},
        }
        tables.append(pd.DataFrame({name: np.ravel(values) for name, values in columns.items()}))
    if not tables:
        return pd.DataFrame()
    table = pd.concat(tables, ignore_index=True).dropna(axis="columns", how="all").dropna()
    for name in set(table) - {"model", "layer", "time", "depth", "score"}:
        spread = table[name].std(ddof=0)
        if spread > 0:
            table[name] = (table[name] - table[name].mean()) / spread
        else:
            table = table.drop(columns=name)
    return table


def spline(x: Array) -> Array:
    """Cubic B-spline columns of x with inner knots at its quartiles, without the constant."""
    inner = np.unique(np.quantile(x, [0.25, 0.5, 0.75]))
    edges = np.concatenate([[x.min()] * 4, inner, [x.max()] * 4])
    columns = np.asarray(BSpline.design_matrix(x, edges, 3).toarray())
    return columns[:, 1:]


def mixed_model(table: pd.DataFrame) -> dict[str, Any]:
    """score ~ z(curvature) + z(entropy) + controls + spline(time) + depth + depth², random
    intercepts of models and of layers within models, by REML.

    Gives coefficient, standard error, p and interval of each predictor, in r per SD; or `failed`.
    Its residuals are taken as independent, which neighbouring checkpoints are not: compare the
    calibrated level before the p is believed.
    """
    needed = {"curvature", "entropy", "score"}
    if not needed <= set(table) or table["model"].nunique() < 2 or table["time"].nunique() < 5:
        return {"failed": "needs two models, five steps and both predictors"}
    extras = sorted(set(table) - needed - {"model", "layer", "time", "depth"})
    names = [*PREDICTORS, *extras]
    fixed = np.column_stack(
        [
            np.ones(len(table)),
            *(table[name] for name in names),
            spline(table["time"].to_numpy()),
            table["depth"],
            table["depth"] ** 2,
        ]
    )
    # REML needs independent columns; a control that the spline already holds adds nothing.
    keep = independent_columns(fixed)
    columns = [f"x{i}" for i in keep]
    data = pd.DataFrame(fixed[:, keep], columns=columns)
    data["score"], data["model"] = table["score"].to_numpy(), table["model"].to_numpy()
    data["layer"] = table["layer"].to_numpy()
    # Here, so that those who fit no such model need not wait for it.
    from statsmodels.regression.mixed_linear_model import MixedLM
    from statsmodels.tools.sm_exceptions import ConvergenceWarning, SingularMatrixWarning

    with warnings.catch_warnings():
        # A variance at its boundary of zero is an answer here, not a failure.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", SingularMatrixWarning)
        model = MixedLM.from_formula(
            f"score ~ 0 + {' + '.join(columns)}",
            data,
            groups="model",
            re_formula="1",
            vc_formula={"layer": "0 + C(layer)"},
        )
        fit = model.fit(reml=True, method="lbfgs")
    found = {}
    for i, name in enumerate(names, start=1):
        if i in keep:
            j = keep.index(i)
            low, high = np.asarray(fit.conf_int())[j]
            found[name] = {
                "coefficient": float(np.asarray(fit.params)[j]),
                "se": float(np.asarray(fit.bse)[j]),
                "p": float(np.asarray(fit.pvalues)[j]),
                "interval": [float(low), float(high)],
            }
    return found


def independent_columns(design: Array) -> list[int]:
    """Columns that are no combination of those before them."""
    keep: list[int] = []
    basis = np.empty((len(design), 0))
    for i, column in enumerate(design.T):
        rest = column - basis @ (basis.T @ column)
        norm = np.linalg.norm(rest)
        if norm > 1e-8 * np.linalg.norm(column) and norm > 0:
            keep.append(i)
            basis = np.column_stack([basis, rest / norm])
    return keep


def leave_one_size_out(table: pd.DataFrame) -> list[dict[str, Any]]:
    """How well the geometry of other sizes predicts the score of one that was left out.

    Least squares of score on time spline, depth, depth² (the base), with and without curvature and
    entropy, fitted to the other models; r² is of what the held-out model's own base leaves.
    """
    rows: list[dict[str, Any]] = []
    if not {"curvature", "entropy", "score"} <= set(table) or table["time"].nunique() < 5:
        return rows
    base = np.column_stack([spline(table["time"].to_numpy()), table["depth"], table["depth"] ** 2])
    geometry = table[list(PREDICTORS)].to_numpy()
    score = table["score"].to_numpy()
    models = sorted(set(table["model"]))
    for model in models if len(models) > 1 else ():
        held = (table["model"] == model).to_numpy()
        x, y = residuals(geometry[~held], base[~held]), residuals(score[~held], base[~held])
        slope = np.linalg.lstsq(x, y, rcond=None)[0]
        left = residuals(score[held], base[held])
        predicted = residuals(geometry[held], base[held]) @ slope
        total = float(left @ left)
        rows.append(
            {
                "model": model,
                "r2": 1 - float(((left - predicted) ** 2).sum()) / total if total > 0 else np.nan,
                "slope_curvature": float(slope[0]),
                "slope_entropy": float(slope[1]),
            }
        )
    return rows
