"""What a layer explains over sentence length, position and the untrained model, as a table."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geomod.brain.responses import AVERAGE, Block, response_blocks
from geomod.encoding.design import Design
from geomod.encoding.scores import Features
from geomod.encoding.settings import Settings
from geomod.ridge.banded import Baseline, Climb, Ladder
from geomod.ridge.engine import encode

log = logging.getLogger(__name__)

# Baselines that are columns of the sentences, or of the rows of stories.
OF_SENTENCES = {"length": ["n_words", "n_characters"], "position": ["position"]}
OF_STORIES = {"word_rate": ["word_rate"], "position": ["tr"]}
COLUMNS = ["layer", "region", "participant", "baseline"]
COLUMNS += ["score_baseline", "score_layer", "score_joint", "unique", "unique_r2"]


class Baselines:
    """What stands beside the layers of every checkpoint of a model.

    `untrained` are the features of the model before training; None where there are none. What a
    baseline predicts alone is the same at every layer and step, and found once. Of the names in the
    settings those count that there are: sentences have a `length`, stories a `word_rate` and maybe
    `confounds` (item_id, participant, confound, value), delayed as the layers are.
    """

    def __init__(
        self,
        settings: Settings,
        stimuli: pd.DataFrame,
        untrained: Features | None = None,
        confounds: pd.DataFrame | None = None,
    ) -> None:
        self._columns = OF_STORIES if settings.delays else OF_SENTENCES
        self._confounds = confounds if confounds is not None and len(confounds) else None
        known = {"untrained", *self._columns}
        if self._confounds is not None:
            known.add("confounds")
        self.names: list[str] = [name for name in settings.baselines if name in known]
        self._settings = settings
        self._standardize, self._match_width = settings.standardize, settings.match_width
        self._stimuli = stimuli
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
        if name == "confounds":
            return self._of_everybody()
        return self._stimuli[self._columns[name]].to_numpy(dtype=np.float64, copy=True)

    def _of_everybody(self) -> NDArray[np.float64]:
        """The confounds of all participants side by side, since the average has those of all; 0,
        as everything is before a story, in the rows of stories that somebody did not hear."""
        assert self._confounds is not None
        wide = self._confounds.pivot_table(
            index="item_id", columns=["participant", "confound"], values="value"
        )
        return wide.reindex(self._stimuli["item_id"]).fillna(0.0).to_numpy(dtype=np.float64)


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
