"""Two processes of b clips train as one process of 2b clips does."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.model import MMDistributedDataParallel
from mmengine.model.utils import convert_sync_batchnorm
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmengine.runner.utils import set_random_seed
from mmseg.registry import MODELS
from small_model import CODES, build_model, make_batch, make_masks
from small_model import make_samples as samples_of
from torch.nn.modules.batchnorm import _BatchNorm
from two_processes import WORLD_SIZE, in_two_processes

from mmavs.structures import DiagonalGaussian

CLIPS, FRAMES = 4, 3
# Weights of 1: every term is to be seen in the gradient.
HEAD = dict(
    divergences=dict(
        visual_specific=dict(type='GaussianKLLoss', loss_weight=1.0),
        audio_specific=dict(type='GaussianKLLoss', loss_weight=1.0),
        shared=dict(type='GeometricJSDLoss', loss_weight=1.0),
    ),
    loss_orthogonality=dict(
        type='OrthogonalityLoss', loss_weight=1.0, gather=True
    ),
    loss_mutual_information=dict(
        type='MutualInformationLoss', code_channels=CODES, loss_weight=1.0
    ),
)
PUBLISHED = dict(
    HEAD,
    loss_decode=dict(type='StructureLoss', weighted_bce=False),
    loss_mutual_information=dict(
        HEAD['loss_mutual_information'], normalised=False
    ),
)
SEMANTIC = dict(
    HEAD,
    num_classes=3,
    out_channels=3,
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
)
FIRST_FRAMES = tuple(range(0, CLIPS * FRAMES, FRAMES))
# Name: settings of the head, labelled frames, None for all.
CASES = dict(
    s4=(HEAD, FIRST_FRAMES),
    ms3=(HEAD, None),
    published_s4=(PUBLISHED, FIRST_FRAMES),
    published_ms3=(PUBLISHED, None),
    semantic=(SEMANTIC, None),
)


def matching(reduction, loss_weight):
    """Settings with another matching loss."""
    return dict(
        HEAD,
        loss_matching=dict(
            type='AVMatchingLoss', reduction=reduction, loss_weight=loss_weight
        ),
    )


PER_PROCESS = dict(
    HEAD,
    loss_orthogonality=dict(type='OrthogonalityLoss', loss_weight=1.0),
)
# The orthogonality sees the parts of a batch one by one.
ACCUMULATED = dict(HEAD, loss_orthogonality=None)
ROWS = (2, 5)  # of the two processes, where they differ


def same_noise(self):
    """In the place of the random draw: the same noise in every frame."""
    noise = torch.linspace(-1, 1, self.mean.shape[1])
    return self.mean + self.std * noise


def prepare(head, labelled):
    """Model, wrapped if there are two processes, and its part of a batch."""
    init_default_scope('mmseg')
    model = build_model(head=head)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
    batch = make_batch(CLIPS, FRAMES)
    samples = samples_of(make_masks(batch, labelled), FRAMES)
    if get_world_size() > 1:
        model = MMDistributedDataParallel(model, broadcast_buffers=False)
    return model, *part_of(batch, samples, get_rank(), get_world_size())


def part_of(batch, samples, index, count):
    """One of ``count`` equal parts of a batch."""
    n = len(samples) // count
    part = slice(index * n, (index + 1) * n)
    return (
        batch._replace(frames=batch.frames[part], log_mel=batch.log_mel[part]),
        samples[part],
    )


@contextmanager
def equal_noise():
    """Let every frame be drawn with the same noise."""
    rsample, DiagonalGaussian.rsample = DiagonalGaussian.rsample, same_noise
    try:
        yield
    finally:
        DiagonalGaussian.rsample = rsample


def train(head, labelled):
    """Losses and gradients of this process's part of the batch."""
    wrapped, batch, samples = prepare(head, labelled)
    model = getattr(wrapped, 'module', wrapped)
    with equal_noise():
        losses = wrapped(batch, samples, mode='loss')
    total, values = model.parse_losses(losses)
    total.backward()
    gradients = {
        name: p.grad for name, p in model.named_parameters() if p.requires_grad
    }
    return {name: x.item() for name, x in values.items()}, gradients


def step(head, labelled, accumulative_counts):
    """How far one step moves the weights, over so many parts of the batch."""
    wrapped, batch, samples = prepare(head, labelled)
    model = getattr(wrapped, 'module', wrapped)
    before = {k: p.detach().clone() for k, p in model.named_parameters()}
    optim_wrapper = OptimWrapper(
        torch.optim.SGD(model.parameters(), lr=1.0),
        accumulative_counts=accumulative_counts,
    )
    for i in range(accumulative_counts):
        part = part_of(batch, samples, i, accumulative_counts)
        with equal_noise(), optim_wrapper.optim_context(wrapped):
            losses = wrapped(*part, mode='loss')
        total, _ = model.parse_losses(losses)
        optim_wrapper.update_params(total)
    return {k: (before[k] - p).detach() for k, p in model.named_parameters()}


def error_of_sync_bn():
    """What SyncBN says in a training of several processes on CPUs."""
    model = convert_sync_batchnorm(build_model(), 'torch')
    batch = make_batch(1, FRAMES)
    samples = samples_of(make_masks(batch), FRAMES)
    try:
        model(batch, samples, mode='loss')
    except ValueError as error:
        return str(error)
    return 'it trained'


def orthogonality_of_uneven_rows():
    """Value and averaged gradient where processes have other rows."""
    rng = torch.Generator().manual_seed(0)
    inputs = torch.randn(sum(ROWS), 6, generator=rng)
    weights = torch.nn.Linear(6, 12, bias=False)
    torch.nn.init.normal_(weights.weight, generator=rng)
    wrapped = weights
    if get_world_size() > 1:
        wrapped = torch.nn.parallel.DistributedDataParallel(weights)
        inputs = inputs.split(ROWS)[get_rank()]
    codes = dict(zip('abc', wrapped(inputs).chunk(3, 1), strict=True))
    term = MODELS.build(
        dict(
            type='OrthogonalityLoss',
            pairs=[('a', 'c'), ('b', 'c')],
            gather=True,
            loss_weight=1.0,
        )
    )
    value = term(codes)
    value.backward()
    return value.item(), weights.weight.grad


def first_draws():
    """The first random number of this process for each kind of seed."""
    draws = {}
    for different in (False, True):
        set_random_seed(7, diff_rank_seed=different)
        draws[different] = torch.randn(1).item()
    return draws


def everything():
    """All that two processes compute."""
    init_default_scope('mmseg')
    results = {name: train(*case) for name, case in CASES.items()}
    results['sum'] = train(matching('sum', 0.5), None)
    results['per_process'] = train(PER_PROCESS, None)
    results['accumulated'] = step(ACCUMULATED, FIRST_FRAMES, 2)
    results['sync_bn'] = error_of_sync_bn()
    results['uneven'] = orthogonality_of_uneven_rows()
    results['draws'] = first_draws()
    return results


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    """What each of the two processes computed."""
    return in_two_processes(everything, tmp_path_factory.mktemp('ranks'))


def relative_error(values, expected):
    """Largest difference in units of the largest expected number."""
    assert values.keys() == expected.keys()
    largest = max(x.abs().max() for x in expected.values())
    return max((values[k] - expected[k]).abs().max() / largest for k in values)


def means(ranks, name):
    """Means over the processes of the losses of a case."""
    first = ranks[0][name][0]
    return {
        key: sum(rank[name][0][key] for rank in ranks) / WORLD_SIZE
        for key in first
        if 'loss' in key  # and not the watched IoU of all frames together
    }


@pytest.mark.parametrize('name', CASES)
def test_as_one_process(ranks, name):
    losses, gradients = train(*CASES[name])
    assert all(x is not None for x in gradients.values())
    for rank in ranks:
        assert relative_error(rank[name][1], gradients) < 1e-5
    for key, value in means(ranks, name).items():
        assert value == pytest.approx(losses[key], rel=1e-5), key


def test_sum_is_over_the_frames_of_a_process(ranks):
    """Gradients are averaged: two processes halve a sum over all frames."""
    losses, gradients = train(matching('sum', 0.25), None)
    assert relative_error(ranks[0]['sum'][1], gradients) < 1e-5
    assert means(ranks, 'sum') == pytest.approx(
        {key: x for key, x in losses.items() if 'loss' in key}, rel=1e-5
    )
    # As many frames a process, so the weight is that of the single one.
    n = CLIPS * FRAMES / WORLD_SIZE
    _, gradients = train(matching('mean', 0.5 * n), None)
    assert relative_error(ranks[0]['sum'][1], gradients) < 1e-5


def test_orthogonality_is_per_process_unless_gathered(ranks):
    losses, gradients = train(PER_PROCESS, None)
    key = 'decode.loss_orthogonality'
    values = means(ranks, 'per_process')
    assert values[key] != pytest.approx(losses[key], rel=1e-2)
    assert relative_error(ranks[0]['per_process'][1], gradients) > 1e-3
    del values[key], values['loss']
    for name, value in values.items():
        assert value == pytest.approx(losses[name], rel=1e-5)


def test_gathered_rows_may_differ_in_number(ranks):
    value, gradient = orthogonality_of_uneven_rows()
    for rank in ranks:
        assert rank['uneven'][0] == pytest.approx(value, rel=1e-5)
        torch.testing.assert_close(rank['uneven'][1], gradient)


def test_seeds_of_processes(ranks):
    """One seed draws the same codes in every process; mmengine's switch."""
    first, second = (rank['draws'] for rank in ranks)
    assert first[False] == second[False] == first[True]
    assert second[True] != first[True]


@pytest.mark.parametrize('num_processes', [1, 2])
def test_accumulated_gradients(ranks, num_processes):
    """Parts of a batch one after the other, in one or two processes."""
    expected = step(ACCUMULATED, FIRST_FRAMES, 1)
    if num_processes == 1:
        moved = [step(ACCUMULATED, FIRST_FRAMES, 2)]
    else:
        moved = [rank['accumulated'] for rank in ranks]
    for values in moved:
        assert relative_error(values, expected) < 1e-5


def test_accumulation_averages_the_sum_too():
    whole, parts = (
        dict(matching('sum', weight), loss_orthogonality=None)
        for weight in (0.25, 0.5)
    )
    moved, expected = step(parts, None, 2), step(whole, None, 1)
    assert relative_error(moved, expected) < 1e-5


def test_sync_bn_says_that_it_needs_gpus(ranks):
    for rank in ranks:
        assert (
            'SyncBatchNorm expected input tensor to be on GPU'
            in (rank['sync_bn'])
        )
