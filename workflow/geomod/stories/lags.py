"""The lag check: does blood follow the words when it should?

A shift by a TR or two hardly lowers an encoding score, whose delays take it up, so that scores
cannot find an error of alignment. The rate of words can: regions that follow speech follow it some
5 s later. Every region is correlated with the word rate over lags of −10 … +10 TRs; the response at
a positive lag comes after the words.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

REACH = 10  # TRs
EXPECTED = 5.0  # s: where the haemodynamic response peaks
PLAUSIBLE = (2.5, 7.5)  # s
FAR = 20  # TRs: circular shifts by this many and more say what no relation looks like
DEVIATIONS = 3

COLUMNS = ["region", "participant", "lag", "seconds", "r"]
VERDICTS = ["region", "participant", "peak", "r", "threshold", "shift", "verdict", "sentence"]


def lag_curve(rates: Sequence[Floats], responses: Sequence[Floats], reach: int = REACH) -> Floats:
    """Pearson r of the word rate with the response `lag` rows later, lag −reach … reach.

    A story is a pair of arrays of equal length. Both are z-scored per story, and r is over all
    pairs of rows of one story.
    """
    pairs = [(_z(rate), _z(own)) for rate, own in zip(rates, responses, strict=True)]
    return np.array([_at_lag(pairs, lag) for lag in range(-reach, reach + 1)])


def _at_lag(pairs: Sequence[tuple[Floats, Floats]], lag: int) -> float:
    words = [rate[max(0, -lag) : len(rate) - max(0, lag)] for rate, _ in pairs]
    blood = [own[max(0, lag) : len(own) + min(0, lag)] for _, own in pairs]
    x, y = np.concatenate(words), np.concatenate(blood)
    there = np.isfinite(x) & np.isfinite(y)
    x, y = _z(x[there]), _z(y[there])
    return float(x @ y / max(1, len(x)))


def threshold(rates: Sequence[Floats], responses: Sequence[Floats]) -> float:
    """The r that no unrelated region should reach: three SDs of what circular shifts give.

    Shifts run from 20 rows to 20 less than the shortest story has. Where there are fewer than 20
    such, an SD is 1 / √rows.
    """
    shortest = min(map(len, rates))
    if shortest - 2 * FAR < FAR:
        return float(DEVIATIONS / np.sqrt(sum(map(len, rates))))
    total = np.zeros(shortest - 2 * FAR)
    for rate, own in zip(rates, responses, strict=True):
        x, y = (np.nan_to_num(_z(values)) for values in (rate, own))
        around = np.fft.irfft(np.fft.rfft(y) * np.conj(np.fft.rfft(x)), len(x))
        total += around[FAR : shortest - FAR]
    return float(DEVIATIONS * np.std(total / sum(map(len, rates))))


def _z(values: Floats) -> Floats:
    """Mean 0 and SD 1 over what is there; 0 throughout where nothing varies."""
    spread = np.nanstd(values) if np.isfinite(values).any() else 0.0
    if not spread > 0:
        return np.where(np.isfinite(values), 0.0, np.nan)
    return (values - np.nanmean(values)) / spread


def check_lags(
    rates: Mapping[str, Floats], responses: pd.DataFrame, rows: pd.DataFrame, tr: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Curves (region, participant, lag in TRs, seconds, r) and what they say, a row a region.

    `rates` are of all rows of each story, `rows` is the table of `rows_of`, and `responses` has the
    columns item_id, region, participant, response. A verdict is `plausible`, `early`, `late`, or
    `silent` where the region does not follow the word rate; the sentence is for people.
    """
    curves, verdicts = [], []
    lags = np.arange(-REACH, REACH + 1)
    stories = {story: own["item_id"] for story, own in rows.groupby("story", sort=False)}
    for (region, participant), own in responses.groupby(["region", "participant"], sort=False):
        found = own.set_index("item_id")["response"]
        values = {story: found.reindex(items).to_numpy() for story, items in stories.items()}
        used = [story for story, blood in values.items() if np.isfinite(blood).any()]
        # Rows without responses at both ends are trims, and no part of the circle.
        pairs = [_inside(rates[story], values[story]) for story in used]
        curve = lag_curve([rates[story] for story in used], [values[story] for story in used])
        limit = threshold(*zip(*pairs, strict=True))
        who = {"region": region, "participant": participant}
        curves.append(
            pd.DataFrame({**who, "lag": lags, "seconds": lags * tr, "r": curve}, columns=COLUMNS)
        )
        verdicts.append({**who, **judge(curve, limit, tr, str(region))})
    return pd.concat(curves, ignore_index=True), pd.DataFrame(verdicts, columns=VERDICTS)


def _inside(rate: Floats, blood: Floats) -> tuple[Floats, Floats]:
    there = np.flatnonzero(np.isfinite(blood))
    span = slice(there[0], there[-1] + 1)
    return rate[span], blood[span]


def judge(curve: Floats, limit: float, tr: float, region: str) -> dict[str, object]:
    """What one curve says: the peak (s), whether it is higher than chance, where it lies."""
    place = int(np.argmax(curve))
    peak = (place + _between(curve, place) - REACH) * tr
    shift = round((peak - EXPECTED) / tr)
    said = f"{region}: the response follows the word rate by {peak:.1f} s"
    low, high = PLAUSIBLE
    if not curve[place] > limit:
        verdict, shift = "silent", 0
        sentence = f"{region}: no lag from −{REACH} to +{REACH} TRs shows the word rate"
    elif low <= peak <= high:
        verdict, shift = "plausible", 0
        sentence = f"{said}, as blood does ({low:g} to {high:g} s)"
    else:
        verdict = "early" if peak < low else "late"
        sentence = (
            f"{said}, where blood would put it at {low:g} to {high:g} s: the responses seem to be "
            f"shifted by {shift:+d} TRs. Are `start`, `tr` and the trims right?"
        )
    return {
        "peak": peak,
        "r": float(curve[place]),
        "threshold": limit,
        "shift": shift,
        "verdict": verdict,
        "sentence": sentence,
    }


def _between(curve: Floats, place: int) -> float:
    """Where between lags the peak lies: the vertex of the parabola through three points."""
    if not 0 < place < len(curve) - 1:
        return 0.0
    before, at, after = curve[place - 1 : place + 2]
    bend = before - 2 * at + after
    return float((before - after) / (2 * bend)) if bend < 0 else 0.0
