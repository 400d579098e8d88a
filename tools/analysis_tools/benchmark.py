"""Speed and memory of a model, of its parts and of its backbone alone.

Times whole steps, of the test (predict) or of the training (train), on random
clips with random weights, so it needs neither data nor checkpoints; a real
step takes as long. Lines of a table are

    model          the model of the config
    backbone       its visual backbone alone: forward, in training and backward
    direct         the model with TPAVI as published, a P x P matrix per clip
    fusion         the fusion of all levels alone
    direct-fusion  the same as published

What is compared takes turns, step by step, so that whatever else the machine
does slows all of it alike; x is how many times what the backbone alone takes.
The peak of memory is that of a process of its own,
beyond what it held before the model was built. Several values of an option
give as many tables, and over sizes the power with which time and memory grow.
Examples::

    python tools/analysis_tools/benchmark.py configs/mmvae_pvt_s4.py
    python tools/analysis_tools/benchmark.py configs/mmvae_pvt_s4.py \\
        --task train --precision float32 bfloat16 --batch 4
    python tools/analysis_tools/benchmark.py configs/mmvae_pvt_s4.py \\
        --subjects fusion --num-frames 5 10 20 40
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config, DictAction
from mmengine.device import get_device
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

import mmavs  # noqa: F401 (registers the components)
from mmavs.datasets.transforms.vggish_log_mel import VGGishLogMel

# What the scripts share lies a folder above them.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from steps.environment import describe_environment  # noqa: E402
from steps.performance_cases import (  # noqa: E402
    PRECISIONS,
    SUBJECTS,
    TASKS,
    Case,
    Subject,
    build_subject,
)
from steps.performance_memory import (  # noqa: E402
    MARK,
    peak_mib,
    peak_of_command,
)
from steps.performance_parts import PARTS, synchronised  # noqa: E402
from steps.performance_report import (  # noqa: E402
    Row,
    draw,
    growth,
    make_tables,
    write_csv,
)

console = Console(highlight=False)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument(
        '--subjects',
        nargs='+',
        choices=SUBJECTS,
        default=['model', 'backbone', 'direct'],
        help='lines of a table; default: model backbone direct',
    )
    parser.add_argument(
        '--task',
        nargs='+',
        choices=TASKS,
        default=['predict'],
        help='default: predict',
    )
    parser.add_argument(
        '--num-frames',
        nargs='+',
        type=int,
        default=[5],
        metavar='T',
        help='frames of a clip; default: 5',
    )
    parser.add_argument(
        '--size',
        nargs='+',
        type=int,
        default=[224],
        metavar='PIXELS',
        help='sides of the square frames, multiples of 32; default: 224',
    )
    parser.add_argument(
        '--batch',
        nargs='+',
        type=int,
        default=[1],
        metavar='N',
        help='clips of a step; default: 1',
    )
    parser.add_argument(
        '--precision',
        nargs='+',
        choices=PRECISIONS,
        default=['float32'],
        help='default: float32',
    )
    parser.add_argument(
        '--compile',
        nargs='+',
        choices=['no', 'yes'],
        default=['no'],
        help='whether torch.compile is used; its parts are not timed.\n'
        'default: no',
    )
    parser.add_argument(
        '--labelled',
        type=int,
        metavar='N',
        help='labelled frames of a training clip; default: the first one\n'
        'for S4, all of them otherwise',
    )
    parser.add_argument(
        '--repeat',
        type=int,
        default=5,
        metavar='N',
        help='timed steps, after one that is not; default: %(default)s',
    )
    parser.add_argument(
        '--no-memory',
        dest='memory',
        action='store_false',
        help='leave the memory out, which takes a process for every line',
    )
    parser.add_argument(
        '--threads', type=int, metavar='N', help='of torch on the CPU'
    )
    parser.add_argument('--csv', type=Path, metavar='FILE')
    parser.add_argument(
        '--plot', type=Path, metavar='FILE', help='a picture, PNG or PDF'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='change settings of the config',
    )
    # How a process of its own is told what to do.
    parser.add_argument(
        '--only-memory', action='store_true', help=argparse.SUPPRESS
    )
    args = parser.parse_args(argv)
    numbers = (*args.num_frames, *args.batch, args.repeat)
    if min(*numbers, args.threads or 1, args.labelled or 1) < 1:
        parser.error(
            '--num-frames, --batch, --repeat, --threads and '
            '--labelled must be at least 1'
        )
    for size in args.size:
        if size < 32 or size % 32:
            parser.error(f'--size must be a multiple of 32, got {size}')
    if 'float16' in args.precision and not torch.cuda.is_available():
        parser.error('--precision float16 needs a GPU; a CPU has bfloat16')
    return args


def list_cases(args: argparse.Namespace, config: Config) -> list[Case]:
    """Every combination of the options."""
    text = config.get('train_dataloader', {})
    first_only = 'AVSBenchS4Dataset' in str(text)
    return [
        Case(
            task=task,
            num_frames=num_frames,
            size=(size, size),
            batch=batch,
            precision=precision,
            compiled=compiled == 'yes',
            labelled=min(
                num_frames,
                args.labelled or (1 if first_only else num_frames),
            ),
        )
        for task, num_frames, size, batch, precision, compiled in (
            itertools.product(
                args.task,
                args.num_frames,
                args.size,
                args.batch,
                args.precision,
                args.compile,
            )
        )
    ]


def memory_of(
    args: argparse.Namespace, case: Case, subject: str, options: Sequence[str]
) -> float | None:
    """Peak of memory of a line in MiB, measured by another process."""
    command = [
        # What is set here comes last, and wins.
        *(__file__, args.config, *options),
        *('--only-memory', '--subjects', subject),
        *('--task', case.task, '--num-frames', str(case.num_frames)),
        *('--size', str(case.size[0]), '--batch', str(case.batch)),
        *('--precision', case.precision, '--labelled', str(case.labelled)),
        *('--compile', 'yes' if case.compiled else 'no'),
        *(('--threads', str(args.threads)) if args.threads else ()),
    ]
    try:
        return peak_of_command(command)
    except RuntimeError as error:
        console.print(f'no memory of {subject}: {error}', soft_wrap=True)
        return None


def time_case(
    case: Case, subjects: dict[str, Subject], repeat: int, device: torch.device
) -> tuple[dict[str, list[float]], dict[str, dict[str, list[float]]]]:
    """Seconds of every step, and of its parts; the subjects take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    parts: dict[str, dict[str, list[float]]] = {name: {} for name in subjects}
    for number in range(repeat + 1):
        for name, subject in subjects.items():
            start = synchronised(device)
            subject.call()
            spent = synchronised(device) - start
            if number:
                seconds[name].append(spent)
            if subject.clock is None:
                continue
            read = subject.clock.read()
            for part in PARTS:
                # Not every step has all: an optimiser may wait for others.
                known = parts[name].setdefault(part, [])
                if number:
                    known.append(read.get(part, 0.0))
    for known in parts.values():
        for part in [
            part for part, values in known.items() if not any(values)
        ]:
            del known[part]
    return seconds, parts


def count_gflops(case: Case, subject: Subject) -> float | None:
    """Of the forward pass of a clip."""
    if case.task == 'train' or case.compiled:
        return None
    counter = FlopCounterMode(
        display=False,
        # Which torch counts on a GPU only.
        custom_mapping={
            torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: (
                attention_flops
            )
        },
    )
    with counter:
        subject.call()
    return counter.get_total_flops() / case.batch / 1e9


def attention_flops(
    query: torch.Size, key: torch.Size, value: torch.Size, *args, **kwargs
) -> int:
    """Of the fused attention of a CPU, from the shapes of what it gets."""
    return sdpa_flop_count(query, key, value)


def time_log_mel(num_frames: int, repeat: int) -> float:
    """Seconds for the log-mels of one clip, on the processor."""
    transform = VGGishLogMel()
    rng = np.random.default_rng(0)
    waveform = rng.standard_normal(16000 * num_frames).astype(np.float32)
    spent = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        transform(
            dict(
                waveform=waveform,
                sample_rate_hz=16000,
                num_frames=num_frames,
                audio_path='random',
            )
        )
        spent.append(time.perf_counter() - start)
    return sorted(spent[1:])[repeat // 2]


def free_memory(device: torch.device) -> None:
    """Give back what nobody has a name for."""
    gc.collect()
    if device.type == 'cuda':
        torch.cuda.empty_cache()


def measure_case(
    args: argparse.Namespace,
    config: Config,
    case: Case,
    device: torch.device,
    options: Sequence[str],
) -> list[Row]:
    """All lines of one case."""
    subjects = {}
    for name in args.subjects:
        try:
            subjects[name] = build_subject(name, config, case, device)
        except MemoryError as error:
            console.print(f'left out: {name}: {error}', soft_wrap=True)
    seconds, parts = time_case(case, subjects, args.repeat, device)
    log_mel_s = time_log_mel(case.num_frames, args.repeat)
    known = {
        name: dict(
            parameters=sum(p.numel() for p in subject.module.parameters()),
            gflops=count_gflops(case, subject),
        )
        for name, subject in subjects.items()
    }
    # The other processes need the memory. The clocks are in cycles with what
    # they watch.
    names = list(subjects)
    subjects.clear()
    free_memory(device)
    return [
        Row(
            case=case,
            subject=name,
            seconds=seconds[name],
            parts=parts[name],
            peak_mib=memory_of(args, case, name, options)
            if args.memory
            else None,
            log_mel_s=log_mel_s,
            **known[name],
        )
        for name in names
    ]


def changed_settings(settings: dict) -> list[str]:
    """What --cfg-options was given, for another process."""
    words = [f'{key}={value!r}' for key, value in settings.items()]
    words = [word.replace(' ', '') for word in words]
    return ['--cfg-options', *words] if words else []


def describe(device: torch.device) -> dict:
    """What the numbers depend on, flat for a table."""
    known = describe_environment()
    return dict(
        date=datetime.now(timezone.utc).isoformat(timespec='seconds'),
        device=torch.cuda.get_device_name(device)
        if device.type == 'cuda'
        else f'{known["machine"]["processor"]}, '
        f'{torch.get_num_threads()} threads of '
        f'{known["machine"]["usable_cores"]} cores',
        **{f'{k}_version': v for k, v in known['versions'].items()},
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and write."""
    argv = sys.argv[1:] if argv is None else list(argv)
    args = parse_args(argv)
    config = Config.fromfile(args.config)
    config.merge_from_dict(args.cfg_options)
    if args.threads:
        torch.set_num_threads(args.threads)
    device = torch.device(get_device())
    cases = list_cases(args, config)
    if args.only_memory:
        (name,), (case,) = args.subjects, cases
        peak = peak_mib(
            lambda: build_subject(name, config, case, device).call, device
        )
        console.print(f'{MARK}{json.dumps(peak)}')
        return 0
    environment = describe(device)
    console.print(f'{args.config} on {environment["device"]}')
    options = changed_settings(args.cfg_options)
    rows = []
    for case in cases:
        console.print(f'measuring {case}', soft_wrap=True)
        try:
            rows += measure_case(args, config, case, device, options)
        except torch.OutOfMemoryError as error:
            # The message, not the error, which holds the tensors.
            reason = str(error).partition('.')[0]
            console.print(f'left out: {case}: {reason}', soft_wrap=True)
        free_memory(device)
    if not rows:
        console.print('error: nothing could be measured')
        return 1
    for table in make_tables(rows):
        console.print(table)
    for line in growth(rows):
        console.print(line, soft_wrap=True)
    if args.csv:
        write_csv(args.csv, rows, dict(config=args.config, **environment))
    if args.plot:
        draw(rows, args.plot)
    return 0


if __name__ == '__main__':
    sys.exit(main())
