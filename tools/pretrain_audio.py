"""Teach an audio backbone to name what sounds, and write its weights.

The result loads as ``model.audio_backbone.init_cfg.checkpoint``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.logging import print_log
from mmengine.runner import Runner

import mmavs  # noqa: F401 (registers the components)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of an AudioTagger')
    parser.add_argument(
        '--work-dir',
        help='logs, checkpoints and audio_backbone.pth; by default '
        'work_dirs/NAME_OF_THE_CONFIG',
    )
    parser.add_argument(
        '--resume', action='store_true', help='go on from the last checkpoint'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings of the config, as key=value',
    )
    return parser.parse_args()


def main() -> None:
    """Train, then write the weights of the audio backbone alone."""
    args = parse_args()
    config = Config.fromfile(args.config)
    if args.cfg_options:
        config.merge_from_dict(args.cfg_options)
    config.work_dir = args.work_dir or config.get(
        'work_dir', f'work_dirs/{Path(args.config).stem}'
    )
    config.resume = args.resume
    runner = Runner.from_cfg(config)
    runner.train()
    path = Path(config.work_dir) / 'audio_backbone.pth'
    partial = path.with_suffix('.partial')
    torch.save(runner.model.audio_backbone.state_dict(), partial)
    partial.replace(path)
    print_log(f'audio backbone written to {path}', logger='current')


if __name__ == '__main__':
    main()
