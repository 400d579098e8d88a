"""Embeddings kept on disk: never stale, never torn, never in the way."""

import errno
import multiprocessing
import os
from copy import deepcopy
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.model import ExponentialMovingAverage
from mmengine.runner import Runner
from small_model import build_model, make_batch, make_masks, make_samples

from mmavs.models.backbones import VGGish, embedding_cache
from mmavs.models.backbones.embedding_cache import (
    BLOCK_WORDS,
    EmbeddingCache,
    decode_embedding,
    encode_embedding,
    weights_checksum,
    weights_digest,
)

T = 3
KEYS = tuple(letter * 40 for letter in 'abc')
CLIPS = torch.randn(
    3, T, 1, 96, 64, generator=torch.Generator().manual_seed(0)
)


class Heard:
    """A small VGGish that tells how many patches it computed."""

    def __init__(self, folder, seed=0, **kwargs):
        torch.manual_seed(seed)
        self.network = VGGish(
            **dict(dict(width=0.03, cache_dir=folder), **kwargs)
        )
        self.network.register_forward_hook(self._note)
        self.computed = []

    def _note(self, network, args, output):
        self.computed.append(len(output))

    def __call__(self, which='abc', keys=None):
        """Embeddings of some clips, and what was computed for them."""
        clips = ['abc'.index(letter) for letter in which]
        self.computed.clear()
        value = self.network.embed_clips(
            CLIPS[clips].flatten(0, 1),
            tuple(KEYS[i] for i in clips) if keys is None else keys,
        )
        return value, list(self.computed)

    def fresh(self, which='abc'):
        """Embeddings without the cache."""
        clips = ['abc'.index(letter) for letter in which]
        return torch.cat([self.network(clip) for clip in CLIPS[clips]])


@pytest.fixture
def heard(tmp_path):
    return Heard(tmp_path)


def files_of(folder):
    return sorted(path for path in Path(folder).rglob('*') if path.is_file())


# ------------------------------------------------------------------- files


@pytest.mark.parametrize(
    'dtype', [torch.float32, torch.float16, torch.bfloat16, torch.float64]
)
def test_what_is_written_is_read(dtype):
    value = torch.randn(10, 7, generator=torch.Generator().manual_seed(1))
    value = value.to(dtype).T  # not contiguous
    read = decode_embedding(encode_embedding(value, 'here'), 'here')
    assert read.dtype == dtype
    assert torch.equal(read, value)


def test_whatever_was_changed_is_refused():
    content = encode_embedding(torch.randn(5, 8), 'here')
    assert decode_embedding(content, 'there') is None
    assert decode_embedding(content + b'\0', 'here') is None
    for length in range(len(content)):
        assert decode_embedding(content[:length], 'here') is None
    for position in range(len(content)):
        for bit in (0, 7):
            changed = bytearray(content)
            changed[position] ^= 1 << bit
            assert decode_embedding(bytes(changed), 'here') is None


# ----------------------------------------------------------------- weights


class Weights(torch.nn.Module):
    """One tensor of several blocks and a rest."""

    def __init__(self):
        super().__init__()
        values = torch.randn(
            37 * BLOCK_WORDS + 3, generator=torch.Generator().manual_seed(0)
        )
        self.values = torch.nn.Parameter(values, requires_grad=False)
        self.register_buffer('count', torch.tensor(3))


def test_checksum_against_numpy():
    module = Weights()
    content = module.values.numpy().tobytes()
    whole = 18 * 8 * BLOCK_WORDS
    words = np.frombuffer(content[:whole], np.int64).reshape(18, -1)
    expected = [
        *words.sum(0),
        *words.sum(1),
        *content[whole:],
        *[0] * BLOCK_WORDS,
        *np.int64(3).tobytes(),
    ]
    assert weights_checksum(module).tolist() == expected


def test_checksum_of_a_part_of_a_buffer():
    """At an address that is no multiple of a word's."""
    module, part = Weights(), Weights()
    flat = torch.cat([torch.zeros(1), module.values])
    part.values.data = flat[1:]
    assert part.values.storage_offset() == 1
    assert torch.equal(weights_checksum(part), weights_checksum(module))


@pytest.mark.parametrize('position', [0, 2049, 36 * BLOCK_WORDS, -1])
@pytest.mark.parametrize('other', [2, 2 * BLOCK_WORDS, -2])
def test_checksum_notices_one_change_and_one_exchange(position, other):
    module = Weights()
    before, digest = weights_checksum(module), weights_digest(module)
    old = module.values.clone()
    module.values.data[position] = torch.nextafter(
        old[position], torch.tensor(torch.inf)
    )
    assert not torch.equal(weights_checksum(module), before)
    assert weights_digest(module) != digest
    module.values.data.copy_(old)
    assert torch.equal(weights_checksum(module), before)
    assert weights_digest(module) == digest
    module.values.data[[position, other]] = old[[other, position]]
    assert not torch.equal(weights_checksum(module), before)


def test_digest_tells_class_type_and_shape():
    class Other(Weights):
        pass

    digests = {weights_digest(Weights()), weights_digest(Other())}
    zeros = []
    for shape in ((4, 6), (6, 4), (24,)):
        for dtype in (torch.float32, torch.bfloat16):
            module = Weights()
            module.values.data = torch.zeros(shape, dtype=dtype)
            zeros.append(weights_digest(module))
    assert len(digests | set(zeros)) == 8


# ------------------------------------------------------------------- cache


def test_a_known_clip_is_not_computed(heard, tmp_path):
    first, computed = heard()
    assert computed == [T, T, T]
    assert first.shape == (3 * T, 128)
    torch.testing.assert_close(first, heard.network(CLIPS.flatten(0, 1)))
    again, computed = heard()
    assert computed == []
    assert torch.equal(again, first)
    assert not again.requires_grad
    other_process, computed = Heard(tmp_path)('cab')
    assert computed == []
    order = [*range(2 * T, 3 * T), *range(2 * T)]
    assert torch.equal(other_process, first[order])


def test_only_missing_clips_are_computed(heard):
    a, _ = heard('a')
    both, computed = heard('ba')
    assert computed == [T]
    assert torch.equal(both[T:], a)
    assert torch.equal(both[:T], heard.fresh('b'))


def test_a_value_does_not_depend_on_the_batch(heard, tmp_path):
    """So a warm cache changes no bit of a training."""
    together, _ = heard('abc')
    alone = Heard(tmp_path / 'other')
    for i, name in enumerate('abc'):
        assert torch.equal(alone(name)[0], together[i * T : (i + 1) * T])


def test_clips_without_a_key_are_computed_and_not_kept(heard, tmp_path):
    value, computed = heard('ab', keys=(None, None))
    assert computed == [2 * T]
    assert torch.equal(value, heard.network(CLIPS[:2].flatten(0, 1)))
    assert files_of(tmp_path) == []
    for expected in ([T, T], [T]):
        value, computed = heard('ab', keys=(KEYS[0], None))
        assert computed == expected
        assert len(files_of(tmp_path)) == 1
        torch.testing.assert_close(value, heard.fresh('ab'))


def test_the_number_of_frames_is_part_of_it(heard):
    heard('a')
    longer = CLIPS[:2].flatten(0, 1)
    heard.computed.clear()
    value = heard.network.embed_clips(longer, KEYS[:1])
    assert heard.computed == [2 * T]
    assert torch.equal(value, heard.network(longer))


def test_where_a_file_lies(heard, tmp_path):
    heard('a')
    (path,) = files_of(tmp_path)
    digest = weights_digest(heard.network)
    assert path == tmp_path / f'{digest}-cpu-float32' / 'aa' / KEYS[0]


@pytest.mark.parametrize(
    'key', ['../../evil', 'a/b', '', 'A' * 40, 'ab', 'a' * 40 + '\n', 7]
)
def test_a_key_names_no_other_file(heard, tmp_path, key):
    with pytest.raises(ValueError, match='32 to 128 hexadecimal'):
        heard('ab', keys=(KEYS[0], key))
    assert [path.name for path in files_of(tmp_path)] == [KEYS[0]]
    assert not (tmp_path / 'evil').exists()


# ------------------------------------------------------------------- stale


def load(network, other):
    network.load_state_dict(other.state_dict())


def load_assigned(network, other):
    network.load_state_dict(other.state_dict(), assign=True)


def write_data(network, other):
    for ours, theirs in zip(network.parameters(), other.parameters()):
        ours.data.copy_(theirs.data)


def write_one_through_numpy(network, other):
    network.embeddings[-2].bias.numpy()[0] += 1


def swap_average(network, other):
    """As mmengine's EMAHook does before and after validation."""
    hook = EMAHook()
    hook.src_model = network
    hook.ema_model = ExponentialMovingAverage(other)
    hook._swap_ema_parameters()


def initialise(network, other):
    for module in network.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=0.3)


def round_and_move(network, other):
    network.bfloat16().float()


def exchange_layer(network, other):
    network.embeddings = other.embeddings


def train_a_step(network, other):
    network.frozen = False
    network.requires_grad_(True)
    network(CLIPS[0]).square().sum().backward()
    torch.optim.SGD(network.parameters(), lr=1.0).step()
    network.requires_grad_(False)
    network.frozen = True


@pytest.mark.parametrize(
    'change',
    [
        load,
        load_assigned,
        write_data,
        write_one_through_numpy,
        swap_average,
        initialise,
        round_and_move,
        exchange_layer,
        train_a_step,
    ],
    ids=lambda change: change.__name__,
)
def test_changed_weights_never_give_what_the_old_gave(heard, tmp_path, change):
    before, _ = heard()
    old = deepcopy(heard.network.state_dict())
    change(heard.network, Heard(tmp_path, seed=1).network)
    value, computed = heard()
    assert computed == [T, T, T]
    assert torch.equal(value, heard.fresh())
    assert not torch.equal(value, before)
    # And back: these are known.
    heard.network.load_state_dict(old)
    value, computed = heard()
    assert computed == []
    assert torch.equal(value, before)


def test_weights_of_init_cfg(tmp_path):
    """init_weights comes after construction, and after a first use."""
    source = Heard(None, seed=5).network
    torch.save(source.state_dict(), tmp_path / 'vggish.pth')
    heard = Heard(tmp_path / 'cache')
    heard()
    heard.network.init_cfg = dict(
        type='Pretrained', checkpoint=str(tmp_path / 'vggish.pth')
    )
    heard.network.init_weights()
    assert torch.equal(heard()[0], torch.cat([source(x) for x in CLIPS]))


def test_weights_are_hashed_only_when_they_change(heard, monkeypatch):
    hashed = []

    def note(network):
        hashed.append(network)
        return weights_digest(network)

    monkeypatch.setattr(embedding_cache, 'weights_digest', note)
    for _ in range(3):
        heard()
        heard.network.train()
        heard.network.to('cpu')
    assert len(hashed) == 1
    heard.network.features[0].bias.data.add_(1)
    for _ in range(3):
        heard()
    assert len(hashed) == 2


def test_networks_of_other_sizes_share_a_folder(tmp_path):
    for kwargs in (dict(), dict(width=0.05), dict(out_channels=9)):
        heard = Heard(tmp_path, **kwargs)
        value, computed = heard()
        assert computed == [T, T, T]
        assert torch.equal(value, heard.fresh())


def test_precisions_are_kept_apart(heard):
    def low():
        with torch.autocast('cpu', dtype=torch.bfloat16):
            return heard()

    exact, _ = heard()
    rounded, computed = low()
    assert computed == [T, T, T]
    assert not torch.equal(rounded, exact)
    for run, expected in ((heard, exact), (low, rounded)):
        value, computed = run()
        assert computed == []
        assert value.dtype == expected.dtype
        assert torch.equal(value, expected)
    with torch.autocast('cpu', enabled=False):
        assert torch.equal(heard()[0], exact)


# ------------------------------------------------------------------ damage


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def empty(path):
    path.write_bytes(b'')


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def exchange(path):
    """The good file of another clip."""
    path.write_bytes((path.parents[1] / 'bb' / KEYS[1]).read_bytes())


@pytest.mark.parametrize('damage', [cut, empty, flip, exchange])
def test_a_damaged_file_is_replaced(heard, tmp_path, damage):
    value, _ = heard()
    path = files_of(tmp_path)[0]
    damage(path)
    again, computed = heard()
    assert computed == [T]
    assert torch.equal(again, value)
    again, computed = heard()
    assert computed == []
    assert torch.equal(again, value)


@pytest.fixture
def warnings(monkeypatch):
    texts = []
    monkeypatch.setattr(
        embedding_cache, 'print_log', lambda text, **_: texts.append(text)
    )
    return texts


def test_a_folder_that_cannot_be_made(tmp_path, warnings):
    (tmp_path / 'file').write_text('no folder')
    heard = Heard(tmp_path / 'file' / 'cache')
    for _ in range(2):
        value, computed = heard()
        assert computed == [T, T, T]
        assert torch.equal(value, heard.fresh())
    assert len(warnings) == 1
    assert str(tmp_path / 'file' / 'cache') in warnings[0]


def test_a_folder_in_the_place_of_a_file(heard, tmp_path, warnings):
    heard('a')
    (path,) = files_of(tmp_path)
    path.unlink()
    path.mkdir()
    value, computed = heard('a')
    assert computed == [T]
    assert torch.equal(value, heard.fresh('a'))
    assert len(warnings) == 1


def test_a_full_disk(heard, tmp_path, warnings, monkeypatch):
    known, _ = heard('a')

    def fail(path, content):
        with open(path, 'wb') as file:
            file.write(content[:50])
        raise OSError(errno.ENOSPC, 'No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr(Path, 'write_bytes', fail)
        for _ in range(2):
            value, computed = heard('abc')
            # What is there is still of use.
            assert computed == [T, T]
            assert torch.equal(value[:T], known)
    assert len(warnings) == 1 and 'No space left' in warnings[0]
    # Nor is half a file left behind.
    assert len(files_of(tmp_path)) == 1


def test_the_folder_may_go_at_any_time(heard, tmp_path, warnings):
    value, _ = heard()
    for path in files_of(tmp_path):
        path.unlink()
    for folder in sorted(tmp_path.rglob('*'), reverse=True):
        folder.rmdir()
    assert heard()[1] == [T, T, T]
    again, computed = heard()
    assert computed == [] and torch.equal(again, value)
    assert warnings == []


def _write_on(folder, number, started):
    cache = EmbeddingCache(folder)
    # Two sizes: a file that were written in place would be torn.
    value = torch.full((T + number, 128), float(number))
    started.wait()
    for _ in range(150):
        for key in KEYS:
            cache.write('space', key, value)


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')
def test_processes_do_not_disturb_each_other(tmp_path):
    context = multiprocessing.get_context('fork')
    started = context.Barrier(3)
    writers = [
        context.Process(target=_write_on, args=(tmp_path, i, started))
        for i in range(2)
    ]
    for writer in writers:
        writer.start()
    cache = EmbeddingCache(tmp_path)
    started.wait(30)
    seen, reads, known = set(), 0, set()
    while any(writer.is_alive() for writer in writers):
        for key in KEYS:
            path = cache.path('space', key)
            if key not in known and not path.exists():
                continue
            known.add(key)
            value = decode_embedding(path.read_bytes(), f'space/{key}')
            # Once there, always whole, and of one writer.
            number = int(value[0, 0])
            assert value.shape == (T + number, 128)
            assert (value == number).all()
            seen.add(number)
            reads += 1
    for writer in writers:
        writer.join(10)
        assert writer.exitcode == 0
    assert seen == {0, 1} and reads > 20
    # Nothing but the files themselves is left.
    assert [path.name for path in files_of(tmp_path)] == list(KEYS)


# --------------------------------------------------------------- segmentor


def keyed(batch):
    return batch._replace(audio_keys=KEYS[:2])


def test_the_segmentor_passes_the_keys_on(tmp_path):
    """Losses are those without a cache, and the audio is not computed."""
    batch = make_batch()
    samples = make_samples(make_masks(batch))
    losses = []
    calls = []
    for audio, clips in (
        (dict(), batch),
        (dict(), keyed(batch)),
        (dict(cache_dir=tmp_path), keyed(batch)),
        (dict(cache_dir=tmp_path), keyed(batch)),
        (dict(cache_dir=tmp_path), batch),
    ):
        model = build_model(audio=audio)
        model.audio_backbone.register_forward_hook(
            lambda network, args, output: calls.append(len(output))
        )
        torch.manual_seed(0)
        losses.append(model.loss(clips, samples))
    assert calls == [6, 6, 3, 3, 6]
    assert all(loss.keys() == losses[0].keys() for loss in losses)
    for key, expected in losses[0].items():
        for loss in losses[1:]:
            torch.testing.assert_close(loss[key], expected)


class PlainAudio(torch.nn.Module):
    """An audio backbone that knows nothing of keys."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(64, 8)

    def forward(self, log_mel):
        return self.linear(log_mel.mean((1, 2)))


def test_other_audio_backbones_need_no_keys():
    model = build_model().eval()
    model.audio_backbone = PlainAudio()
    batch = make_batch()
    with torch.no_grad():
        expected = model(batch, mode='tensor')
        assert torch.equal(model(keyed(batch), mode='tensor'), expected)


def test_an_averaged_copy_has_the_cache_too(tmp_path):
    """The weights in a checkpoint are those without one."""
    plain, cached = Heard(None).network, Heard(tmp_path).network
    assert plain.state_dict().keys() == cached.state_dict().keys()
    copy = deepcopy(cached)
    x = CLIPS.flatten(0, 1)
    copy.embed_clips(x, KEYS)
    assert len(files_of(tmp_path)) == 3
    assert torch.equal(copy.embed_clips(x, KEYS), cached.embed_clips(x, KEYS))


def test_a_warm_cache_changes_no_bit_of_a_training(tiny_config, tmp_path):
    states, computed = [], []
    for name in ('cold', 'warm'):
        config = tiny_config('s4', work_dir=str(tmp_path / name))
        config.model.audio_backbone.cache_dir = str(tmp_path / 'cache')
        config.experiment_name = name
        data = config.train_dataloader
        # It seeds the weights and the noise.
        runner = Runner.from_cfg(config)
        calls = []
        runner.model.audio_backbone.register_forward_hook(
            lambda network, args, output, calls=calls: calls.append(output)
        )
        optimiser = runner.build_optim_wrapper(config.optim_wrapper)
        runner.model.train()
        for batch in islice(runner.build_dataloader(data, seed=0), 2):
            runner.model.train_step(batch, optimiser)
        states.append(runner.model.state_dict())
        computed.append(len(calls))
    # Two batches of two of the five clips.
    assert computed == [len(files_of(tmp_path / 'cache')), 0]
    assert computed[0] in (3, 4)
    assert states[0].keys() == states[1].keys()
    for key, value in states[0].items():
        assert torch.equal(states[1][key], value)
