"""Test a model: python tools/test.py CONFIG CHECKPOINT."""

import argparse
import os
from pathlib import Path

from mmengine.config import Config, ConfigDict, DictAction
from mmengine.runner import Runner
from mmseg.registry import RUNNERS

import mmavs  # noqa: F401  registers everything, also for plain configs


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description='Test a model')
    parser.add_argument('config', help='path of the config')
    parser.add_argument('checkpoint', help='path or URL of the checkpoint')
    parser.add_argument(
        '--work-dir',
        help='directory of the log and of the scores as JSON; '
        'work_dirs/NAME_OF_THE_CONFIG if neither this nor the config says',
    )
    parser.add_argument(
        '--out', metavar='DIR', help='write the predicted masks to DIR'
    )
    parser.add_argument(
        '--show', action='store_true', help='show predictions in a window'
    )
    parser.add_argument(
        '--show-dir',
        metavar='DIR',
        help='save one sheet per clip in DIR/vis_data/vis_image',
    )
    parser.add_argument(
        '--wait-time',
        type=float,
        default=2,
        help='seconds between two pictures of --show',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='change settings of the config, as in '
        'test_dataloader.batch_size=2; lists as key=a,b or key="[a,b]", '
        'nested ones as key="[(a,b),(c,d)]" with the quotation marks and '
        'without white space',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes of a distributed test',
    )
    parser.add_argument(
        '--tta',
        action='store_true',
        help='test-time augmentation, with the tta_pipeline and tta_model '
        'of the config',
    )
    # torchrun sets the environment variable, its forerunner passes the flag.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def enable_pictures(cfg: Config, args: argparse.Namespace) -> None:
    """Let the visualization hook of the config draw.

    Raises:
        ValueError: If the config has no such hook.
    """
    hook = cfg.default_hooks.get('visualization')
    if hook is None:
        raise ValueError(
            '--show and --show-dir need default_hooks.visualization in the '
            "config, as dict(type='AVSVisualizationHook')"
        )
    hook['draw'] = True
    if args.show:
        hook['show'] = True
        hook['wait_time'] = args.wait_time
    if args.show_dir:
        cfg.visualizer['save_dir'] = args.show_dir


def enable_tta(cfg: Config) -> None:
    """Wrap the model and replace the pipeline for test-time augmentation.

    Raises:
        ValueError: If the config does not say how to augment.
    """
    for key in ('tta_pipeline', 'tta_model'):
        if key not in cfg:
            raise ValueError(f'--tta needs {key} in the config')
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    # A copy: the wrapped model must not contain its wrapper.
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)


def main() -> None:
    """Build the runner from config and command line, and test."""
    args = parse_args()
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)

    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    cfg.load_from = args.checkpoint
    if args.show or args.show_dir:
        enable_pictures(cfg, args)
    if args.tta:
        enable_tta(cfg)
    if args.out is not None:
        evaluators = cfg.test_evaluator
        if isinstance(evaluators, dict):
            evaluators = [evaluators]
        for evaluator in evaluators:
            evaluator['output_dir'] = args.out
            evaluator['keep_results'] = True

    if 'runner_type' in cfg:
        runner = RUNNERS.build(cfg)
    else:
        runner = Runner.from_cfg(cfg)
    runner.test()


if __name__ == '__main__':
    main()
