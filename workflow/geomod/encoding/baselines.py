"""What a layer explains over sentence length, place and the untrained model, as a table."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.brain.responses import AVERAGE, Block, response_blocks
from geomod.encoding.design import Design
from geomod.encoding.groups import SPLIT
from geomod.encoding.scores import Features
from geomod.encoding.settings import Settings
from geomod.ridge.banded import Baseline, Climb, Ladder
from geomod.ridge.engine import encode

log = logging.getLogger(__name__)

# Baselines that are columns of the sentences, or of the rows of stories.
OF_SENTENCES = {"length": ["n_words", "n_characters"], "position": ["position"]}
OF_STORIES = {"word_rate": ["word_rate"], "position": ["tr"]}
SPANS = (1.0, 4.0, 16.0)  # SD of the Gaussians of `smooth`, in rows
COLUMNS = ["layer", "region", "participant", "baseline"]
COLUMNS += ["score_baseline", "score_layer", "score_joint", "unique", "unique_r2"]


class Baselines:
    """What stands beside the layers of every checkpoint of a model.

    `untrained` are the features of the model before training, `nuisances` the table of that name,
    or of the confounds of scans; None where there are none. What a baseline predicts alone is the
    same at every layer and step, and found once. Of the names in the settings those count that
    there are: sentences have a `length`, stories a `word_rate`, delayed as the layers are.
    """

    def __init__(
        self,
        settings: Settings,
        stimuli: pd.DataFrame,
        untrained: Features | None = None,
        nuisances: pd.DataFrame | None = None,
    ) -> None:
        self._columns = OF_STORIES if settings.delays else OF_SENTENCES
        known = {"smooth", "untrained", "nuisances", *self._columns}
        self.names: list[str] = [name for name in settings.baselines if name in known]
        if "smooth" in self.names and not has_order(stimuli):
            log.info("no baseline `smooth`: the sentences have no groups, and so no order")
            self.names.remove("smooth")
        if "nuisances" in self.names and (nuisances is None or nuisances.empty):
            self.names.remove("nuisances")
        self._settings, self._group_by = settings, settings.group_by
        self._standardize, self._match_width = settings.standardize, settings.match_width
        self._stimuli, self._nuisances = stimuli, nuisances
        self._untrained = untrained and {
            layer: values for layer, values in untrained.items() if np.isfinite(values).all()
        }
        self._of_block: dict[bytes, dict[str, Baseline]] = {}

    @property
    def have_untrained(self) -> bool:
        return self._untrained is not None

    def of(self, block: Block) -> dict[str, Baseline]:
        """The baselines on a block's sentences, by name."""
        key = block.rows.tobytes() + block.matrix.tobytes()
        if key not in self._of_block:
            design = Design(self._settings, self._stimuli, block.rows)
            self._of_block[key] = {
                name: Baseline(
                    self._values(name),
                    rows=design.rows,
                    delays=design.delays,
                    standardize=self._standardize,
                    match_width=self._match_width,
                )
                for name in self.names
                if name != "untrained" or self.have_untrained
            }
        return self._of_block[key]

    def _values(self, name: str) -> NDArray[np.float64] | Features:
        if name == "untrained":
            return self._untrained or {}
        if name == "smooth":
            knows = may_part_groups(self._stimuli, self._group_by)
            return smooth(self._stimuli) if knows else np.zeros((len(self._stimuli), 1))
        if name == "nuisances" and self._nuisances is not None:
            return self._of_everybody(self._nuisances)
        return self._stimuli[self._columns[name]].to_numpy(dtype=np.float64, copy=True)

    def _of_everybody(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """A column a nuisance. Confounds are those of all participants side by side, since the
        average has all of them; 0, as everything is before a story, where somebody heard none."""
        names = ["participant", "confound"] if "confound" in table else ["nuisance"]
        wide = table.pivot_table(index="item_id", columns=names, values="value")
        if "confound" in table:
            wide = wide.reindex(self._stimuli["item_id"]).fillna(0.0)
        return wide.loc[self._stimuli["item_id"]].to_numpy(dtype=np.float64, copy=True)


def has_order(stimuli: pd.DataFrame) -> bool:
    """Whether rows have neighbours: a group (a passage, a story, a run) of two or more."""
    if "group" not in stimuli:
        return False
    of_some = stimuli["group"][stimuli["group"] != ""]
    return bool(of_some.duplicated().any())


def smooth(stimuli: pd.DataFrame) -> NDArray[np.float64]:
    """What is known of a row from its place alone, `[rows, rows]`: who is near, in its group.

    Column j is a bump about row j, the mean over s of exp(−d² / 2s²) with d the rows between, s of
    `SPANS`, and 0 in other groups: the identity smoothed within groups (Feghhi et al. 2024). Ridge
    on it interpolates what neighbours in time have in common, as smoothly as its penalty says.
    Of a group that a fold tests as a whole it knows nothing.
    """
    place = stimuli["position"].to_numpy(dtype=np.float64)
    group = pd.factorize(stimuli["group"])[0]
    apart = np.where(group[:, None] == group, place[:, None] - place, np.inf)
    return np.mean([np.exp(-0.5 * (apart / span) ** 2) for span in SPANS], axis=0)


def may_part_groups(stimuli: pd.DataFrame, group_by: str | None) -> bool:
    """Whether rows of one group can be on both sides of an outer fold."""
    if SPLIT not in stimuli:
        return group_by != "group"
    pairs = stimuli.loc[stimuli["group"] != "", ["group", SPLIT]].drop_duplicates()
    return bool(pairs["group"].duplicated().any())


class Ladders:
    """The confound ladders of one checkpoint (`geomod.ridge.banded`), climbed while it is encoded.

    Hand them over as `encode_checkpoint(..., beside=ladders)`, and ask for the `table` afterwards.
    They are those of the participants' average alone. With `untrained=False` the model before
    training is no baseline: this one is it.
    """

    def __init__(self, baselines: Baselines, *, untrained: bool = True) -> None:
        self._baselines = baselines
        self._climbs: list[tuple[Climb, pd.DataFrame]] = []
        self._names = list(baselines.names)
        if "untrained" in self._names and not (untrained and baselines.have_untrained):
            log.warning("no baseline `untrained`: step 0 is this one, or was not measured")
            self._names.remove("untrained")

    def __call__(self, block: Block, layers: Sequence[int]) -> Climb | None:
        """What `encode` is to do beside its fits of these layers to a block of responses."""
        average = np.flatnonzero(block.targets["participant"] == AVERAGE)
        if not self._names or not len(average):
            return None
        of_block = self._baselines.of(block)
        climb = Climb({name: of_block[name] for name in self._names}, layers, average)
        self._climbs.append((climb, block.targets.iloc[average]))
        return climb

    def table(self) -> pd.DataFrame:
        """A row a baseline, layer and region; none for a layer that is not finite in either."""
        tables = [
            _table(climb.ladder(name), name, layers, targets)
            for name in self._names
            for climb, targets in self._climbs
            if (layers := climb.layers_beside(name))
        ]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def against_baselines(
    features: Features,
    untrained: Features | None,
    responses: pd.DataFrame,
    stimuli: pd.DataFrame,
    settings: Settings,
    device: str = "cpu",
) -> pd.DataFrame:
    """The ladders of one checkpoint alone, where its scores are not asked for."""
    ladders = Ladders(Baselines(settings, stimuli, untrained))
    layers = [layer for layer, values in sorted(features.items()) if np.isfinite(values).all()]
    for block in response_blocks(responses, stimuli):
        climb = ladders(block, layers) if layers else None
        if climb is not None:
            design = Design(settings, stimuli, block.rows)
            chosen = np.stack([features[layer][design.rows] for layer in layers])
            encode(chosen, block.matrix, device=device, beside=climb, **design.told)
    return ladders.table()


def _table(
    found: Ladder, baseline: str, layers: Sequence[int], targets: pd.DataFrame
) -> pd.DataFrame:
    table = pd.concat([targets] * len(layers), ignore_index=True)
    return table.assign(
        layer=np.repeat(np.asarray(layers, dtype=np.int64), len(targets)),
        baseline=baseline,
        score_baseline=found.score("baseline").ravel(),
        score_layer=found.score("layer").ravel(),
        score_joint=found.score("joint").ravel(),
        unique=found.unique.ravel(),
        unique_r2=found.unique_r2.ravel(),
    )
