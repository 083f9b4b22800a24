"""Does complexity step from one level to another over depth, or does it change smoothly?

The complexity of a block is the sum of its metrics, each z-scored over blocks. Two accounts of that
profile compete:

- **a step**: two levels over depth, each of at least a quarter of the blocks (and two), about which
  blocks scatter independently;
- **smooth**: a parabola, ends that decay exponentially, a Gaussian field over depth, a random walk,
  each with independent scatter.

Either may leave the first and the last block to themselves, which in real models differ from their
neighbours: an end that differs is no module, and hides none. The *gain* of a step is
ln(mean likelihood of steps) − ln(mean likelihood of smooth profiles) in nats, levels and scale
fitted (−½ ln n for each fitted coefficient, Schwarz 1978). Whatever the scale of a profile, a
smooth one of a given kind has one distribution of gains: that of drawn ones is the null, and p is
the largest over the four kinds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from geomod.coupling.trends import DECAYS
from geomod.curves.curves import relative_depth
from geomod.modules.clusters import standardize

Array = NDArray[np.float64]

# Of Gaussian fields, as a share of the depth; scatter as a share of the variance.
LENGTHS = (0.1, 0.15, 0.22, 0.33, 0.5, 0.8)
SCATTERS = (0.001, 0.01, 0.05, 0.15, 0.4, 1.0)
# Below this a trend over depth and a scatter about it cannot both be estimated.
FEWEST_LAYERS = 4
# Fewer blocks have no end to spare.
FEWEST_WITH_ENDS = 8
REFERENCES = 4000  # profiles drawn of every smooth member
DRAWS = 2000  # of them, those that a p is taken from
REDRAWN = 200  # profiles with the fitted step
SHOWN = 400  # profiles that the same model may show
LEAST = 1e-12  # of a mean square: a perfect account has no scatter to take the logarithm of


@dataclass(frozen=True)
class Member:
    """One account of a profile of n blocks: trend [n, coefficients] and covariance [n, n]."""

    kind: str
    trend: Array
    covariance: Array
    scatter: float = 1.0  # the share s of the covariance that is every block's own
    prior: float = 1.0
    apart: bool = False  # whether the ends have coefficients of their own
    # What is added to a draw: trends are drawn as steep as they scatter, where they look most like
    # a step; steeper ones look less like it, flatter ones are scatter.
    shape: Array | None = None


@dataclass(frozen=True)
class Family:
    """Accounts of profiles, ready to be weighed."""

    members: tuple[Member, ...]
    forms: Array  # [members, n, n]; y' F y is the sum of squares that the trend leaves, whitened
    constants: Array  # [members], the logarithm of prior and of all that no profile changes

    def log_likelihood(self, profiles: Array) -> Array:
        """Of profiles [draws, n] of mean square 1, prior included: [draws, members]."""
        n = profiles.shape[-1]
        products = (profiles[:, :, None] * profiles[:, None]).reshape(len(profiles), n * n)
        left = products @ self.forms.reshape(-1, n * n).T
        return self.constants - n / 2 * np.log(np.maximum(left / n, LEAST))


@dataclass(frozen=True)
class StepTest:
    """The step of one model, beside what smooth profiles and steps like it would give."""

    height: float  # of the likeliest step, in units of the scatter about it
    again: Array  # its natural logarithm in profiles that the same model may show, [SHOWN]
    gain: float
    smooth: Array  # gains, [kinds, DRAWS]
    stepped: Array  # gains, [REDRAWN]


def complexity(cloud: Array) -> Array:
    """Sum of the z-scored metrics of each block, scaled to a mean square of 1: [..., blocks].

    Metrics that cancel each other leave nothing: zeros.
    """
    total = standardize(cloud).sum(axis=-1, keepdims=True)
    return standardize(np.where(np.abs(total) > 1e-9, total, 0.0))[..., 0]


def step_test(cloud: Array, rng: np.random.Generator) -> StepTest:
    """A step against smooth profiles in blocks [blocks, metrics], in order of depth."""
    profile = complexity(cloud)
    n = len(profile)
    for_smooth, for_steps, for_others = rng.spawn(3)
    weight, known = smooth_family(n).log_likelihood(profile[None])[0], smooth_gains(n)
    nulls = []
    for members in kinds_of(n):
        # A kind is drawn from as this profile weighs its lengths, decays and scatters.
        chosen = for_smooth.choice(members, size=DRAWS, p=softmax(weight[members]))
        nulls.append(known[chosen, for_smooth.integers(REFERENCES, size=DRAWS)])
    return StepTest(
        height=float(heights(profile[None])[0]),
        again=np.log(heights(shown_again(profile, SHOWN, for_others))),
        gain=float(gain(profile[None])[0]),
        smooth=np.array(nulls),
        stepped=gain(redrawn(profile, REDRAWN, for_steps)),
    )


def gain(profiles: Array) -> Array:
    """Log-likelihood of a step less that of smooth profiles, nats: [draws] of [draws, blocks]."""
    profiles = standardize(profiles[..., None])[..., 0]
    n = profiles.shape[-1]
    step, smooth = (f.log_likelihood(profiles) for f in (step_family(n), smooth_family(n)))
    return np.asarray(logsumexp(step, axis=1) - logsumexp(smooth, axis=1))


def smooth_p(clouds: Array) -> Array:
    """Of each of [models, blocks, metrics] by itself: largest over kinds of P(gain ≥ observed)."""
    profiles = complexity(clouds)
    n = profiles.shape[-1]
    known = profiles.any(axis=-1)
    if n < FEWEST_LAYERS or not known.any():
        return np.full(len(profiles), np.nan)
    weight, value = smooth_family(n).log_likelihood(profiles), gain(profiles)
    p = []
    for members in kinds_of(n):
        tails = [exceeding(value, smooth_gains(n)[member]) for member in members]
        p.append((softmax(weight[:, members], axis=1) * np.transpose(tails)).sum(axis=1))
    return np.where(known, np.max(p, axis=0), np.nan)


def exceeding(values: Array, null: Array) -> Array:
    """(1 + #{null ≥ value}) / (1 + draws) of every value."""
    below = np.searchsorted(np.sort(null), values, side="left")
    return (1 + len(null) - below) / (1 + len(null))


def mean_height(found: Sequence[StepTest], alpha: float) -> tuple[float, float, float]:
    """Geometric mean of the heights, and its interval: a height has no sign and varies by its size.

    On logarithms it reaches as far to either side as the longer tail of the means that the same
    models may show.
    """
    value = float(np.mean([np.log(step.height) for step in found]))
    shown = np.mean([step.again for step in found], axis=0)
    low, high = np.quantile(shown - shown.mean(), [alpha / 2, 1 - alpha / 2])
    reach = max(-low, high)
    return float(np.exp(value)), float(np.exp(value - reach)), float(np.exp(value + reach))


def joint_p(found: Sequence[StepTest]) -> float:
    """Of models that all are smooth: the largest over kinds of P(sum of gains ≥ observed)."""
    if not found:
        return np.nan
    value = sum(each.gain for each in found)
    null = np.sum([each.smooth for each in found], axis=0)
    return float(np.max((1 + (null >= value).sum(axis=1)) / (1 + null.shape[1])))


def stepped_p(found: Sequence[StepTest]) -> float:
    """Of models that all have the step that was fitted: P(sum of gains ≤ observed)."""
    if not found:
        return np.nan
    value = sum(each.gain for each in found)
    null = np.sum([each.stepped for each in found], axis=0)
    return float((1 + (null <= value).sum()) / (1 + len(null)))


def heights(profiles: Array) -> Array:
    """Difference of the levels of the likeliest step, over the scatter about it: [draws]."""
    profiles = standardize(profiles[..., None])[..., 0]
    best = step_family(profiles.shape[-1]).log_likelihood(profiles).argmax(axis=1)
    found = np.empty(len(profiles))
    for member in np.unique(best):
        levels, scatter, _ = fit_step(profiles[best == member], int(member))
        found[best == member] = np.maximum(levels, LEAST) / np.maximum(scatter, LEAST)
    return found


def redrawn(profile: Array, draws: int, rng: np.random.Generator) -> Array:
    """Profiles with the likeliest step in this one, and scatter of its size, drawn anew."""
    member = int(step_family(len(profile)).log_likelihood(profile[None]).argmax())
    _, scatter, fitted = fit_step(profile[None], member)
    return fitted + scatter * rng.standard_normal((draws, len(profile)))


def shown_again(profile: Array, draws: int, rng: np.random.Generator) -> Array:
    """What the same model may show with other scatter, as every account, step or smooth, has it.

    By an account with covariance σ²(K + sI), the profile is f + e with e ~ N(0, σ²sI), its trend
    and K being of f, which other scatter leaves as it is. With the form F that takes the trend
    out, f given the profile y is N(y − sFy, σ²(sI − s²F)), so that the next y is drawn from
    N(y − sFy, σ²(2sI − s²F)), with σ² = yᵀFy / degrees of freedom. Accounts are drawn as likely as
    the profile makes them.
    """
    n = len(profile)
    families = step_family(n), smooth_family(n)
    weight = softmax(np.concatenate([f.log_likelihood(profile[None])[0] for f in families]))
    members = [pair for f in families for pair in zip(f.members, f.forms, strict=True)]
    drawn = []
    for (member, form), count in zip(members, rng.multinomial(draws, weight), strict=True):
        s, left = member.scatter, form @ profile
        freedom = max(n - member.trend.shape[1], 1)
        variance = max(float(profile @ left) / freedom, LEAST)
        root = np.linalg.cholesky(2 * s * np.eye(n) - s**2 * form)
        noise = rng.standard_normal((count, n)) @ root.T
        drawn.append(profile - s * left + np.sqrt(variance) * noise)
    return rng.permutation(np.concatenate(drawn))


def fit_step(profiles: Array, member: int) -> tuple[Array, Array, Array]:
    """Difference of the two levels and scatter [draws], and fitted profiles [draws, blocks]."""
    trend = step_family(profiles.shape[-1]).members[member].trend
    coefficients = profiles @ np.linalg.pinv(trend).T
    fitted = coefficients @ trend.T
    freedom = max(len(trend) - trend.shape[1], 1)
    scatter = np.sqrt(((profiles - fitted) ** 2).sum(axis=1) / freedom)
    return np.abs(coefficients[:, 1] - coefficients[:, 0]), scatter, fitted


@cache
def step_family(n: int) -> Family:
    """Every step; a boundary counts by the square of how far it is from the last that may be."""
    least, blocks = max(2, n // 4), np.arange(n)
    members = []
    for apart in (False, True) if n >= FEWEST_WITH_ENDS else (False,):
        # An end that is left to itself is none of the blocks of its module.
        for start in range(least + apart, n - least - apart + 1):
            levels = np.column_stack([blocks < start, blocks >= start]).astype(float)
            trend = _and_ends(levels) if apart else levels
            prior = (min(start, n - start) - least + 1.0) ** 2
            members.append(Member("step", trend, np.eye(n), prior=prior, apart=apart))
    return _family(members)


@cache
def smooth_family(n: int) -> Family:
    """Every smooth profile; kinds count alike, with ends apart and without."""
    depth, blocks = relative_depth(n), np.arange(n)
    level, constant, line = np.eye(n), np.ones((n, 1)), np.vander(depth, 2)
    bent = np.vander(depth, 3) if n >= 6 else line
    distance = depth[:, None] - depth
    walk = 2 / n * (1 + np.minimum(blocks[:, None], blocks))
    members = [Member("parabola", bent, level, shape=depth)]
    for decay in DECAYS:
        ends = np.exp(-depth / decay), np.exp(-(1 - depth) / decay)
        trend = np.column_stack([constant, *ends])
        members.append(Member("steep ends", trend, level, shape=ends[0]))
    members += [
        Member(
            "field", constant, np.exp(-0.5 * (distance / length) ** 2) + scatter * level, scatter
        )
        for length in LENGTHS
        for scatter in SCATTERS
    ]
    members += [Member("walk", constant, walk + scatter * level, scatter) for scatter in SCATTERS]
    if n >= FEWEST_WITH_ENDS:
        members += [
            replace(member, trend=_and_ends(member.trend), apart=True)
            for member in members
            if member.kind != "steep ends"
        ]
    return _family(members)


def kinds_of(n: int) -> list[NDArray[np.int64]]:
    """The smooth members of each kind, ends not apart."""
    members = smooth_family(n).members
    kinds = np.array(["" if member.apart else member.kind for member in members])
    return [np.flatnonzero(kinds == kind) for kind in dict.fromkeys(kinds) if kind]


@cache
def smooth_gains(n: int) -> Array:
    """Gains of profiles drawn of every smooth member, [members, REFERENCES]; the same each time.

    Of members with ends apart none are drawn: their gains are those of the others of their kind.
    """
    rng = np.random.default_rng(n)
    found = np.full((len(smooth_family(n).members), REFERENCES), np.nan)
    for i, member in enumerate(smooth_family(n).members):
        if member.apart:
            continue
        drawn = rng.standard_normal((REFERENCES, n)) @ np.linalg.cholesky(member.covariance).T
        if member.shape is not None:
            drawn += standardize(member.shape[:, None])[:, 0]
        found[i] = gain(drawn)
    return found


def _and_ends(trend: Array) -> Array:
    """The trend, and coefficients of their own for the first and the last block."""
    return np.column_stack([trend, np.eye(len(trend))[:, [0, -1]]])


def _family(members: Sequence[Member]) -> Family:
    groups = [(member.kind, member.apart) for member in members]
    total = dict.fromkeys(groups, 0.0)
    for group, member in zip(groups, members, strict=True):
        total[group] += member.prior
    forms, constants = [], []
    for group, member in zip(groups, members, strict=True):
        n, fit = member.trend.shape
        precision = np.linalg.inv(member.covariance)
        weighed = precision @ member.trend
        forms.append(precision - weighed @ np.linalg.solve(member.trend.T @ weighed, weighed.T))
        prior = np.log(member.prior / total[group] / len(total))
        log_det = np.linalg.slogdet(member.covariance)[1]
        constants.append(prior - (log_det + fit * np.log(n)) / 2)
    return Family(tuple(members), np.array(forms), np.array(constants))
