"""What is timed: the model of a config, its backbone, its fusion."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmavs.engine.hooks.compile_hook import compile_graphs
from mmavs.models.backbones.vggish import cast_audio_networks
from steps.direct_tpavi import direct_bytes, use_direct_tpavi
from steps.performance_parts import PartClock

SUBJECTS = ('model', 'backbone', 'direct', 'fusion', 'direct-fusion')
TASKS = ('predict', 'train')
PRECISIONS = ('float32', 'bfloat16', 'float16')
_WRAPPERS = dict(
    float32='OptimWrapper',
    bfloat16='BF16OptimWrapper',
    float16='AmpOptimWrapper',
)


@dataclass(frozen=True)
class Case:
    """Under what conditions something is timed.

    Attributes:
        task: ``predict`` or ``train``: one whole step.
        num_frames: T.
        size: (H, W) of the frames.
        batch: clips of a step.
        precision: of the autocast; ``float32`` is none.
        compiled: whether ``torch.compile`` is used.
        labelled: labelled frames of a training clip.
    """

    task: str
    num_frames: int
    size: tuple[int, int]
    batch: int
    precision: str
    compiled: bool
    labelled: int

    @property
    def positions(self) -> int:
        """T h w of the finest level of a clip."""
        return self.num_frames * (self.size[0] // 4) * (self.size[1] // 4)

    def __str__(self) -> str:
        height, width = self.size
        return ', '.join(
            (
                f'{self.task}, T = {self.num_frames}, {height} x {width}',
                f'batch {self.batch}, {self.precision}',
                *(('compiled',) if self.compiled else ()),
            )
        )


@dataclass(frozen=True)
class Subject:
    """What is timed.

    Attributes:
        call: one step of it.
        module: whose parameters count.
        clock: of its parts, None for what is timed as a whole.
    """

    call: Callable[[], Any]
    module: nn.Module
    clock: PartClock | None = None


def build_subject(
    name: str, config: Config, case: Case, device: torch.device
) -> Subject:
    """Build one of ``SUBJECTS`` with random weights.

    Raises:
        MemoryError: if the direct form would not fit into the memory.
    """
    if name.startswith('direct'):
        _check_memory(case, device)
    if name.endswith('fusion'):
        part: nn.Module = _Fusion(config, device)
        inputs = part.random_inputs(case, device)
    else:
        model = build_model(config, device)
    if name.startswith('direct'):
        use_direct_tpavi(part if name.endswith('fusion') else model)
    if name in ('model', 'direct'):
        model.train(case.task == 'train')
        return _whole_model(model, config, case, device)
    if name == 'backbone':
        frames = _frames(case, device).float()
        layout = model.data_preprocessor.memory_format
        part = model.backbone
        inputs = (frames.contiguous(memory_format=layout),)
        # Without the rest of the model: it would be counted as memory.
        del model
    part.train(case.task == 'train')
    return _part(part, inputs, case, device)


def build_model(config: Config, device: torch.device) -> nn.Module:
    """The model of a config with random weights: a step takes as long."""
    settings = config.copy().model
    for key in ('backbone', 'audio_backbone'):
        if key in settings:
            settings[key].init_cfg = None
    init_default_scope(config.get('default_scope', 'mmseg'))
    torch.manual_seed(0)
    return MODELS.build(settings).to(device)


class _Fusion(nn.Module):
    """The fusions of all levels, and nothing else of a head."""

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__()
        init_default_scope(config.get('default_scope', 'mmseg'))
        torch.manual_seed(0)
        head = config.model.decode_head
        self.channels = head.channels
        self.fusion = nn.ModuleList(
            MODELS.build(dict(head.fusion, channels=self.channels))
            for _ in head.in_channels
        )
        self.to(device)

    def random_inputs(
        self, case: Case, device: torch.device
    ) -> tuple[list[Tensor], Tensor, int]:
        """Levels at strides 4, 8, .., the sound of each frame, and T."""
        n = case.batch * case.num_frames
        height, width = case.size
        levels = [
            torch.randn(
                (n, self.channels, height >> i, width >> i), device=device
            ).requires_grad_(case.task == 'train')
            for i in range(2, 2 + len(self.fusion))
        ]
        audio = torch.randn(n, self.channels, device=device)
        return levels, audio, case.num_frames

    def forward(
        self, levels: list[Tensor], audio: Tensor, num_frames: int
    ) -> list[Tensor]:
        """Fused levels."""
        return [
            fusion(level, audio, num_frames)
            for fusion, level in zip(self.fusion, levels, strict=True)
        ]


def _part(
    part: nn.Module, inputs: tuple, case: Case, device: torch.device
) -> Subject:
    """A module that gives levels; training is forward and backward."""
    run = torch.compile(part) if case.compiled else part

    def predict() -> None:
        with torch.inference_mode(), autocast(case, device):
            run(*inputs)

    def train() -> None:
        part.zero_grad()
        with autocast(case, device):
            levels = run(*inputs)
        sum(level.float().mean() for level in levels).backward()

    return Subject(predict if case.task == 'predict' else train, part)


def _whole_model(
    model: nn.Module, config: Config, case: Case, device: torch.device
) -> Subject:
    """One step of the test or of the training, as the runner does it."""
    clips = random_clips(config, case)
    if case.compiled:
        compile_graphs(model)
    clock = None if case.compiled else PartClock(device)
    if case.task == 'predict':
        if case.precision == 'bfloat16':
            # As AVSInferencer does.
            cast_audio_networks(model, torch.bfloat16)
        if clock is not None:
            clock.watch_model(model)

        def predict() -> None:
            with torch.inference_mode(), autocast(case, device):
                model.test_step(clips)

        return Subject(predict, model, clock)
    optimiser = build_optim_wrapper(
        model, dict(config.optim_wrapper, type=_WRAPPERS[case.precision])
    )
    if clock is not None:
        clock.watch_model(model)
        clock.watch_optimiser(optimiser)
    return Subject(lambda: model.train_step(clips, optimiser), model, clock)


def random_clips(config: Config, case: Case) -> dict:
    """A batch as the data loader gives it."""
    num_classes = config.model.decode_head.get('num_classes', 2)
    samples = []
    for _ in range(case.batch):
        labels = torch.randint(0, num_classes, (case.num_frames, *case.size))
        labels[case.labelled :] = 255
        sample = SegDataSample(
            metainfo=dict(
                num_frames=case.num_frames,
                img_shape=case.size,
                ori_shape=case.size,
            )
        )
        sample.gt_sem_seg = PixelData(data=labels)
        samples.append(sample)
    t = case.num_frames
    return dict(
        inputs=dict(
            frames=list(_frames(case).split(t)),
            log_mel=[torch.randn(t, 1, 96, 64) for _ in samples],
        ),
        data_samples=samples,
    )


def autocast(case: Case, device: torch.device) -> ExitStack:
    """The context of a forward pass in the precision of the case."""
    stack = ExitStack()
    if case.precision != 'float32':
        kind = getattr(torch, case.precision)
        stack.enter_context(torch.autocast(device.type, kind))
    return stack


def _frames(case: Case, device: torch.device | None = None) -> Tensor:
    size = (case.batch * case.num_frames, 3, *case.size)
    return torch.randint(0, 256, size, dtype=torch.uint8, device=device)


def _check_memory(case: Case, device: torch.device) -> None:
    """Raise a MemoryError before the system ends the process."""
    # The matrix and its gradient, or the one of another level.
    needed = 2 * case.batch * direct_bytes(case.num_frames, case.size)
    available = _available_bytes(device)
    if available is not None and needed > available:
        raise MemoryError(
            f'the P x P matrices of {case} take {needed / 2**30:.0f} GiB, '
            f'{available / 2**30:.0f} GiB are free'
        )


def _available_bytes(device: torch.device) -> int | None:
    """Free memory, None where the system does not say."""
    if device.type == 'cuda':
        return torch.cuda.mem_get_info(device)[0]
    try:
        with open('/proc/meminfo') as file:
            for line in file:
                if line.startswith('MemAvailable:'):
                    return 1024 * int(line.split()[1])
    except OSError:
        pass
    return None
