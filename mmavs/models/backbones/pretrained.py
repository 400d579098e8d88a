"""Loading a backbone's weights: all of them, or an error."""

from __future__ import annotations

from collections.abc import Callable

from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

State = dict[str, Tensor]


def check_init_cfg(name: str, init_cfg: dict | None) -> None:
    """Raise a ValueError unless ``init_cfg`` is None or «Pretrained»."""
    if init_cfg and (
        not isinstance(init_cfg, dict) or init_cfg.get('type') != 'Pretrained'
    ):
        raise ValueError(
            f"{name} takes init_cfg=dict(type='Pretrained', checkpoint=...) "
            f'or None, got {init_cfg}'
        )


def read_state(source: str) -> State:
    """Read a state dict, plain or wrapped in ``state_dict`` or ``model``.

    Args:
        source: a path or URL that mmengine's ``CheckpointLoader`` knows.
    """
    content = CheckpointLoader.load_checkpoint(source, map_location='cpu')
    for wrapper in ('state_dict', 'model'):
        content = content.get(wrapper, content)
    return content


def load_whole(
    module: nn.Module,
    source: str,
    hint: str,
    read: Callable[[str], State] = read_state,
) -> None:
    """Load weights into a module; a partial load is an error.

    mmengine's own «Pretrained» initialisation only warns when names or
    shapes differ, and a frozen network then stays random.

    Args:
        module: what to fill.
        source: where the weights are.
        hint: what the file should have been, for the error message.
        read: gives the state dict of a source.

    Raises:
        RuntimeError: if a tensor is missing, superfluous, or of another
            shape; the module is then left as it was.
    """
    state = read(source)
    expected = module.state_dict()
    wrong = [f'missing {key}' for key in expected.keys() - state.keys()]
    wrong += [f'unexpected {key}' for key in state.keys() - expected.keys()]
    wrong += [
        f'{key} has shape {tuple(state[key].shape)} instead of '
        f'{tuple(expected[key].shape)}'
        for key in expected.keys() & state.keys()
        if state[key].shape != expected[key].shape
    ]
    if wrong:
        shown = '; '.join(sorted(wrong)[:5])
        more = f'; and {len(wrong) - 5} more' if len(wrong) > 5 else ''
        raise RuntimeError(
            f'{source} does not fit this {type(module).__name__}: {shown}'
            f'{more}. {hint}'
        )
    module.load_state_dict(state)
    print_log(
        f'{type(module).__name__}: all {len(state)} tensors loaded from '
        f'{source}',
        logger='current',
    )
