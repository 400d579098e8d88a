"""The synthetic AVSBench-semantic: files, classes, off-screen sounds."""

import csv
import dataclasses
import itertools
import json
import re
from collections import Counter

import numpy as np
import pytest
import soundfile
from PIL import Image

from mmavs.datasets.layout import class_palette
from mmavs.datasets.synthetic import (
    SPECIES,
    check_num_clips,
    clip_files,
    divide_clips,
    find_sound_pairs,
    plan_clips,
    render_clip,
    write_synthetic_avsbench,
)
from mmavs.datasets.synthetic.motion import draw_paths
from mmavs.datasets.synthetic.soundtrack import PATCH_SAMPLES, gate, mix

NUM_CLIPS = {'train': 12, 'val': 12, 'test': 12}
SUBSETS = ('v1s', 'v1m', 'v2')
OFF_SCREEN = 'off-the-screen'
# (W, H) as PIL gives them.
SIZES = {(320, 180), (240, 320), (256, 192)}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """A set, written once."""
    out = tmp_path_factory.mktemp('avss')
    root, _ = write_synthetic_avsbench(
        out, 'avss', NUM_CLIPS, silent_share=0.2
    )
    return root


@pytest.fixture(scope='module')
def rows(root):
    with (root / 'metadata.csv').open(newline='', encoding='utf-8') as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope='module')
def clips(root):
    return read_json(root / 'clips.json')


@pytest.fixture(scope='module')
def many():
    """Plans of a set that is large enough for everything to occur."""
    return plan_clips(
        'avss', {'train': 300, 'val': 48, 'test': 48}, silent_share=0.1
    )


def read_json(path):
    return json.loads(path.read_text(encoding='utf-8'))


def read_image(path):
    with Image.open(path) as image:
        return image.mode, np.asarray(image)


def num_frames(row):
    return 10 if row['label'] == 'v2' else 5


def labelled(row):
    is_first_only = (row['label'], row['split']) == ('v1s', 'train')
    return [0] if is_first_only else list(range(num_frames(row)))


def labels(root, row):
    folder = root / row['label'] / row['uid'] / 'labels_semantic'
    return {k: read_image(folder / f'{k}.png')[1] for k in labelled(row)}


def rms_dbfs(samples):
    return 10.0 * np.log10(np.mean(np.square(samples)))


class TestFiles:
    """The files, spelled out here and not taken from the layout table."""

    def test_every_file(self, root, rows):
        expected = {
            'metadata.csv',
            'label2idx.json',
            'clips.json',
            'sound_pairs.json',
            'generator.json',
        }
        for row in rows:
            clip = f'{row["label"]}/{row["uid"]}'
            expected.add(f'{clip}/audio.wav')
            for k in range(num_frames(row)):
                expected.add(f'{clip}/frames/{k}.jpg')
            for k in labelled(row):
                expected.add(f'{clip}/labels_semantic/{k}.png')
                expected.add(f'{clip}/labels_rgb/{k}.png')
        assert expected == {
            path.relative_to(root).as_posix()
            for path in root.rglob('*')
            if path.is_file()
        }

    def test_table(self, root, rows):
        first = (root / 'metadata.csv').read_text().splitlines()[0]
        assert first == 'vid,uid,s_min,s_sec,a_obj,split,label'
        assert len({row['uid'] for row in rows}) == len(rows) == 36
        counts = Counter((row['label'], row['split']) for row in rows)
        assert counts == {
            (subset, split): 4 for subset in SUBSETS for split in NUM_CLIPS
        }
        for row in rows:
            assert re.fullmatch(r'[\w-]{11}', row['vid'], re.ASCII)
            start_s = 60 * int(row['s_min']) + int(row['s_sec'])
            assert 0 <= int(row['s_sec']) < 60
            expected = row['vid']
            if row['label'] != 'v1m':
                end_s = start_s + num_frames(row)
                expected += f'_{1000 * start_s}_{1000 * end_s}'
            assert row['uid'] == expected

    def test_awkward_names(self, rows):
        for subset, split in itertools.product(SUBSETS, NUM_CLIPS):
            names = [
                row['uid']
                for row in rows
                if (row['label'], row['split']) == (subset, split)
            ]
            assert any(name.startswith('-') for name in names)
            assert any(name.startswith('_') for name in names)
            digits = [name for name in names if name[:11].isdigit()]
            assert any(name.startswith('0') for name in digits)
            # as a number it would lose the zero
            assert any(map(str.isdigit, names)) == (subset == 'v1m')

    def test_classes(self, root):
        classes = read_json(root / 'label2idx.json')
        assert list(classes.values()) == list(range(9))
        assert classes['background'] == 0
        assert [name.replace('-', '_') for name in list(classes)[1:]] == (
            list(SPECIES)
        )

    def test_frames(self, root, rows):
        sizes = {}
        for row in rows:
            folder = root / row['label'] / row['uid'] / 'frames'
            for path in folder.iterdir():
                with Image.open(path) as image:
                    assert (image.format, image.mode) == ('JPEG', 'RGB')
                    assert image.size in SIZES
                    sizes.setdefault(row['uid'], set()).add(image.size)
        # the frames of a clip have one size, those of the clips all of them
        assert all(len(one) == 1 for one in sizes.values())
        assert set.union(*sizes.values()) == SIZES

    def test_masks(self, root, rows, clips):
        palette = np.array(class_palette(9), np.uint8)
        classes = read_json(root / 'label2idx.json')
        seen = set()
        for row in rows:
            folder = root / row['label'] / row['uid']
            for k in labelled(row):
                mode, mask = read_image(folder / f'labels_semantic/{k}.png')
                assert mode == 'L' and mask.dtype == np.uint8
                with Image.open(folder / f'frames/{k}.jpg') as frame:
                    assert mask.shape == frame.size[::-1]
                colour_mode, colours = read_image(
                    folder / f'labels_rgb/{k}.png'
                )
                assert colour_mode == 'RGB'
                assert np.array_equal(colours, palette[mask])
                sounding = clips[row['uid']]['sounding'][k]
                found = set(np.unique(mask)) - {0}
                assert found == {classes[name] for name in sounding}
                seen |= found
        assert seen == set(range(1, 9))

    def test_audio(self, root, rows):
        for row in rows:
            info = soundfile.info(
                root / row['label'] / row['uid'] / 'audio.wav'
            )
            assert (
                info.samplerate,
                info.channels,
                info.frames,
                info.subtype,
            ) == (16000, 1, 16000 * num_frames(row), 'PCM_16')

    def test_files_hold_the_rendered_clips(self, root):
        plans = plan_clips('avss', NUM_CLIPS, silent_share=0.2)
        for plan in (plans[0], plans[5], plans[9]):
            clip, files = render_clip(plan), clip_files(plan)
            for i, path in files['img_path'].items():
                frame = read_image(root / path)[1].astype(float)
                # JPEG halves the resolution of the colours
                error = np.abs(frame.mean(-1) - clip.frames[i].mean(-1))
                assert error.mean() < 3.0
            for i, path in files['seg_map_path'].items():
                assert np.array_equal(
                    read_image(root / path)[1], clip.masks[i]
                )
            waveform, _ = soundfile.read(
                root / files['audio_path'][0], dtype='int16'
            )
            assert np.array_equal(waveform, clip.waveform)


class TestSound:
    def test_objects_column(self, rows, clips):
        for row in rows:
            clip = clips[row['uid']]
            heard = {name for names in clip['sounding'] for name in names}
            unseen = {name for names in clip['off_screen'] for name in names}
            names = row['a_obj'].split('_')
            assert len(set(names)) == len(names)
            assert set(names) == heard | ({OFF_SCREEN} if unseen else set())
            assert not unseen & {one['species'] for one in clip['objects']}

    def test_sound_agrees_with_the_labels_in_every_second(
        self, root, rows, clips
    ):
        quiet = 0
        for row in rows:
            clip = clips[row['uid']]
            assert len(clip['sounding']) == num_frames(row)
            waveform, _ = soundfile.read(
                root / row['label'] / row['uid'] / 'audio.wav'
            )
            masks = labels(root, row)
            for k, (seen, unseen) in enumerate(
                zip(clip['sounding'], clip['off_screen'], strict=True)
            ):
                level = rms_dbfs(
                    waveform[k * PATCH_SAMPLES :][100 : PATCH_SAMPLES - 100]
                )
                assert (level > -36.0) == bool(seen or unseen)
                if k in masks:
                    assert masks[k].any() == bool(seen)
                quiet += not (seen or unseen)
        assert quiet > 5

    def test_subsets(self, many):
        sizes = Counter()
        for plan in many:
            assert len(plan.species) in (2, 3)
            assert len(plan.sounding_species()) == plan.num_frames
            assert plan.num_frames == (10 if plan.subset == 'v2' else 5)
            seconds = [set(names) for names in plan.sounding_species()]
            if plan.subset == 'v1s':
                assert all(one == seconds[0] for one in seconds)
                assert len(seconds[0]) == 1
            elif any(seconds):
                assert len(set(map(frozenset, filter(None, seconds)))) > 1
                sizes.update(map(len, seconds))
        assert set(sizes) == {0, 1, 2}

    def test_off_screen_share(self, many):
        kinds = {subset: Counter() for subset in SUBSETS}
        for plan in many:
            unseen = any(plan.sounding_off_screen())
            assert unseen == bool(plan.off_screen)
            assert not set(plan.off_screen) & set(plan.species)
            seen = any(plan.sounding_species())
            kinds[plan.subset][seen, unseen] += 1
            assert plan.row()['objects'].endswith(OFF_SCREEN) == unseen
        # one scene of eight in 100 train clips, and of 8 pairs twice
        for subset, count in kinds.items():
            assert count[True, True] == 13 + 2 + 2
            only = 0 if subset == 'v1s' else 13 + 2 + 2
            assert count[False, True] == only
            assert count[False, False] == 0

    def test_hand_cases_of_ten_seconds(self):
        active = (True,) * 4 + (False,) * 5 + (True,)
        envelope = gate(active)
        assert envelope.shape == (160000,)
        borders = PATCH_SAMPLES * np.arange(11)
        assert (envelope[: borders[4] - 40] == 1.0).all()
        assert (envelope[borders[4] + 40 : borders[9] - 40] == 0.0).all()
        # the last second goes on for the 0.4 s behind its patch
        assert (envelope[borders[9] + 40 :] == 1.0).all()
        assert mix([], [], 160000, 0).shape == (160000,)


class TestPairs:
    @pytest.mark.parametrize('count', [12, 16, 60])
    @pytest.mark.parametrize('seed', range(4))
    def test_twins_and_strangers(self, count, seed):
        plans = plan_clips('avss', {'train': 3, 'test': count}, seed=seed)
        by_name = {plan.video_id: plan for plan in plans}
        pairs = find_sound_pairs(plans)
        assert set(pairs) == {
            plan.video_id for plan in plans if plan.split != 'train'
        }
        for name, pair in pairs.items():
            plan, twin = by_name[name], by_name[pair['twin']]
            swapped = by_name[pair['swapped']]
            assert pairs[twin.video_id]['twin'] == name != twin.video_id
            assert plan.split == twin.split == swapped.split
            # audio of another length would not fit
            assert plan.subset == twin.subset == swapped.subset
            assert twin.species == plan.species
            assert twin.frame_size == plan.frame_size
            for own, other in zip(
                plan.sounding_species(), twin.sounding_species(), strict=True
            ):
                assert not set(own) & set(other)
                assert bool(own) == bool(other)
            if plan.off_screen:
                assert plan.off_screen != twin.off_screen
            audible = set(swapped.species) | set(swapped.off_screen)
            assert not set(plan.species) & audible

    def test_files_of_twins(self, root, rows):
        pairs = read_json(root / 'sound_pairs.json')
        by_name = {row['uid']: row for row in rows}
        assert len(pairs) == 24
        for name, pair in pairs.items():
            own, other = by_name[name], by_name[pair['twin']]
            folders = [
                root / row['label'] / row['uid'] for row in (own, other)
            ]
            for k in range(num_frames(own)):
                one, two = (
                    (folder / f'frames/{k}.jpg').read_bytes()
                    for folder in folders
                )
                assert one == two
            one, two = ((f / 'audio.wav').read_bytes() for f in folders)
            assert one != two
            theirs = labels(root, other)
            for k, mask in labels(root, own).items():
                assert not ((mask > 0) & (theirs[k] > 0)).any()


class TestPlans:
    def test_division(self):
        assert divide_clips('avss', 'train', 12) == dict(v1s=4, v1m=4, v2=4)
        assert divide_clips('avss', 'train', 11) == dict(v1s=3, v1m=4, v2=4)
        assert divide_clips('avss', 'train', 1) == dict(v1s=0, v1m=0, v2=1)
        # pairs stay together
        assert divide_clips('avss', 'test', 14) == dict(v1s=4, v1m=4, v2=6)
        assert divide_clips('s4', 'val', 20) == dict(s4=20)
        for count in range(0, 40, 2):
            for split in NUM_CLIPS:
                parts = divide_clips('avss', split, count)
                assert sum(parts.values()) == count

    @pytest.mark.parametrize('count', [4, 10, 13])
    def test_too_few_for_three_subsets(self, count):
        with pytest.raises(ValueError, match=f'even number >= 12.*{count}'):
            check_num_clips({'val': count}, 'avss')

    def test_a_clip_ignores_the_number_of_others(self):
        few = plan_clips('avss', {'train': 4, 'val': 12, 'test': 14}, seed=3)
        many = plan_clips('avss', {'train': 17, 'val': 16, 'test': 26}, seed=3)
        assert set(few) < set(many)

    def test_objects_take_the_share_of_the_frame_they_take_in_s4(self):
        shares = {}
        for size, count in (((224, 224), 5), ((180, 320), 10)):
            rng = np.random.default_rng(0)
            shares[size] = []
            for _ in range(300):
                paths = draw_paths(2, count, size, rng)
                assert paths['centres'].shape == (2, count, 2)
                reach = paths['radii'][..., None]
                corner = np.array(size[::-1])
                assert (paths['centres'] >= reach).all()
                assert (paths['centres'] <= corner - reach).all()
                area = np.pi * paths['radii'] ** 2 / np.prod(size)
                shares[size].append(area.mean())
        means = [np.mean(values) for values in shares.values()]
        assert means[0] == pytest.approx(means[1], rel=0.05)


class TestNoVisualLeak:
    def test_frames_do_not_depend_on_the_sound(self, many):
        # an object with a sound off the screen, in an oblong frame
        plan = next(p for p in many if p.subset == 'v2' and p.off_screen)
        count = len(plan.species)
        turned = plan.sounding[1:count] + plan.sounding[:1]
        other = dataclasses.replace(
            plan, sounding=turned + ((True,) * plan.num_frames,)
        )
        one, two = render_clip(plan), render_clip(other)
        assert one.frames.shape == (10, *plan.frame_size, 3)
        assert np.array_equal(one.frames, two.frames)
        assert not np.array_equal(one.masks, two.masks)
        assert not np.array_equal(one.waveform, two.waveform)

    def test_off_screen_sound_changes_no_label(self, many):
        plan = next(p for p in many if p.off_screen)
        silent = plan.sounding[: len(plan.species)]
        without = dataclasses.replace(plan, off_screen=(), sounding=silent)
        one, two = render_clip(plan), render_clip(without)
        assert np.array_equal(one.masks, two.masks)
        assert not np.array_equal(one.waveform, two.waveform)


class TestDeterminism:
    def test_same_bytes_from_threads(self, root, tmp_path):
        other, _ = write_synthetic_avsbench(
            tmp_path, 'avss', NUM_CLIPS, silent_share=0.2, num_workers=3
        )
        paths = [path for path in root.rglob('*') if path.is_file()]
        for path in paths:
            copy = other / path.relative_to(root)
            assert copy.read_bytes() == path.read_bytes()

    def test_reuse(self, root):
        result = write_synthetic_avsbench(
            root.parent, 'avss', NUM_CLIPS, silent_share=0.2
        )
        assert result == (root, False)
        rule = r'\(silent_share is 0.2, asked for is 0.05\)'
        with pytest.raises(FileExistsError, match=rule):
            write_synthetic_avsbench(root.parent, 'avss', NUM_CLIPS)

    def test_a_missing_file_is_noticed(self, tmp_path):
        root, _ = write_synthetic_avsbench(tmp_path, 'avss', {'train': 1})
        victim = next(root.glob('v2/*/labels_rgb/7.png'))
        victim.unlink()
        with pytest.raises(FileExistsError, match='no longer complete'):
            write_synthetic_avsbench(tmp_path, 'avss', {'train': 1})
