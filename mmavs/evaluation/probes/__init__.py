"""What the codes of a model know, and what moves them."""

from mmavs.evaluation.probes.auc import PairWins, pair_wins
from mmavs.evaluation.probes.frame_table import (
    FrameTable,
    join_tables,
    mask_facts,
)
from mmavs.evaluation.probes.linear_probe import (
    clips_of_others,
    fit_and_score,
)
from mmavs.evaluation.probes.movement import (
    CodeSpread,
    code_movement,
    code_spread,
)
from mmavs.evaluation.probes.reading import (
    ProbeScore,
    read_targets,
    score_target,
)
from mmavs.evaluation.probes.targets import (
    MEANINGS,
    ProbeTarget,
    class_names,
    probe_targets,
    twin_target,
)

__all__ = [
    'MEANINGS',
    'CodeSpread',
    'FrameTable',
    'PairWins',
    'ProbeScore',
    'ProbeTarget',
    'class_names',
    'clips_of_others',
    'code_movement',
    'code_spread',
    'fit_and_score',
    'join_tables',
    'mask_facts',
    'pair_wins',
    'probe_targets',
    'read_targets',
    'score_target',
    'twin_target',
]
