"""Train a model: python tools/train.py configs/mmvae_pvt_s4.py."""

import argparse
import logging
import os
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import RUNNERS

from mmavs.engine.checkpoint_files import candidates


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description='Train a model')
    parser.add_argument('config', help='path of the config')
    parser.add_argument(
        '--work-dir',
        help='directory of logs and checkpoints; '
        'work_dirs/NAME_OF_THE_CONFIG if neither this nor the config says',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='PATH',
        help='continue an interrupted training from the checkpoint PATH; '
        'without PATH, or with auto, from the latest one in the work '
        'directory. Goes after the config',
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='mixed precision: float16 with loss scaling on an accelerator, '
        'bfloat16 on a CPU',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='change settings of the config, as in '
        'train_dataloader.batch_size=2 model.backbone.init_cfg=None; lists '
        'as key=a,b or key="[a,b]", nested ones as key="[(a,b),(c,d)]" with '
        'the quotation marks and without white space',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes of a distributed training',
    )
    # torchrun sets the environment variable, its forerunner passes the flag.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def enable_amp(optim_wrapper: dict) -> None:
    """Turn a plain optimizer wrapper into one with mixed precision.

    Args:
        optim_wrapper: The config of the wrapper, changed in place.

    Raises:
        ValueError: If the config has a wrapper of another kind.
    """
    kind = optim_wrapper.get('type', 'OptimWrapper')
    if kind in ('AmpOptimWrapper', 'BF16OptimWrapper'):
        print_log(
            f'--amp changes nothing: the config has {kind} already',
            logger='current',
            level=logging.WARNING,
        )
    elif kind != 'OptimWrapper':
        raise ValueError(
            f'--amp needs optim_wrapper.type=OptimWrapper, got {kind}'
        )
    elif get_device() == 'cpu':
        optim_wrapper['type'] = 'BF16OptimWrapper'
    else:
        optim_wrapper['type'] = 'AmpOptimWrapper'
        optim_wrapper['loss_scale'] = 'dynamic'


def resume(cfg: Config, source: str) -> None:
    """Make a run go on from a checkpoint.

    Args:
        cfg: The config, changed in place.
        source: The checkpoint, or ``auto`` for the latest one in the work
            directory. Where there is none yet, the run starts as if it were
            new, from ``load_from`` if the config has it: a training that was
            killed early must not lose the weights it started from.
    """
    if source != 'auto':
        cfg.resume, cfg.load_from = True, source
    elif candidates(cfg.work_dir):
        # SafeCheckpointHook takes the latest of them that is whole.
        cfg.resume, cfg.load_from = True, None
    else:
        cfg.resume = False


def main() -> None:
    """Build the runner from config and command line, and train."""
    args = parse_args()
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)

    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    if args.amp:
        enable_amp(cfg.optim_wrapper)
    if args.resume is not None:
        resume(cfg, args.resume)

    if 'runner_type' in cfg:
        runner = RUNNERS.build(cfg)
    else:
        runner = Runner.from_cfg(cfg)
    runner.train()


if __name__ == '__main__':
    main()
