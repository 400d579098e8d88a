"""Ceilings and floors of the synthetic sets."""

import json
from collections import Counter

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import to_tensor
from mmseg.registry import TRANSFORMS

from mmavs.datasets.synthetic import plan_clips, write_synthetic_avsbench
from mmavs.datasets.synthetic import references as references_module
from mmavs.datasets.synthetic.object_sets import (
    object_sets,
    set_indices,
    sounding_distribution,
)
from mmavs.datasets.synthetic.references import REFERENCES, reference_scores
from mmavs.evaluation import (
    AVSMetric,
    binary_iou,
    dataset_scores,
    f_measure_curve,
)

NUM_CLIPS = {'train': 2, 'val': 0, 'test': 8}


@pytest.fixture(scope='module')
def roots(tmp_path_factory):
    """Subset -> the folder of a small set."""
    out = tmp_path_factory.mktemp('references')
    made = {}
    for subset, off_screen in (('s4', 'also'), ('ms3', 'only')):
        made[subset], _ = write_synthetic_avsbench(
            out, subset, NUM_CLIPS, silent_share=0.15, off_screen=off_screen
        )
    return made


@pytest.fixture(scope='module')
def scores(roots):
    """Subset -> its scores at full size."""
    return {subset: reference_scores(root) for subset, root in roots.items()}


def read_json(path):
    return json.loads(path.read_text(encoding='utf-8'))


def masks_of(root, video_id):
    """uint8 (5, 224, 224), 0 and 1, straight from the files."""
    paths = sorted(root.glob(f'*/gt_masks/**/{video_id}_*.png'))
    return np.stack([cv2.imread(str(path), -1) for path in paths]) // 255


def mean_iou(clips):
    return dataset_scores(clips)[0]


class TestObjectSets:
    def test_hand_case(self):
        sets = object_sets(2).tolist()
        assert sets == [[0, 0], [1, 0], [0, 1], [1, 1]]
        sounding = np.array([[0, 1, 0, 1], [0, 0, 1, 1]], bool)
        assert set_indices(sounding).tolist() == [0, 1, 2, 3]
        sets = object_sets(3)
        assert set_indices(sets.T).tolist() == list(range(8))

    def test_one_of_the_objects_in_s4(self):
        for count in (2, 3):
            found = sounding_distribution('s4', count, 0.0, 'also')
            single = object_sets(count).sum(1) == 1
            assert np.allclose(found, single / count)

    @pytest.mark.parametrize('off_screen', ['none', 'also', 'only'])
    def test_shares_of_plans(self, off_screen):
        plans = plan_clips(
            'ms3',
            {'train': 4000},
            seed=11,
            silent_share=0.15,
            off_screen=off_screen,
        )
        for count in (2, 3):
            sizes = Counter(
                len(names)
                for plan in plans
                if len(plan.species) == count
                for names in plan.sounding_species()
            )
            found = sounding_distribution('ms3', count, 0.15, off_screen)
            assert found.sum() == pytest.approx(1.0)
            for size in range(count + 1):
                of_size = found[object_sets(count).sum(1) == size]
                share = sizes[size] / sizes.total()
                # three standard errors of 1,000 clips
                assert of_size.sum() == pytest.approx(share, abs=0.03)
                assert np.ptp(of_size) < 1e-12


class TestReferences:
    def test_clips_of_the_split_in_order(self, roots, scores):
        for subset, found in scores.items():
            clips = read_json(roots[subset] / 'clips.json')
            names = [
                name for name, clip in clips.items() if clip['split'] == 'test'
            ]
            assert tuple(found) == REFERENCES
            for one in found.values():
                assert [clip.video_id for clip in one] == names

    @pytest.mark.parametrize('name', ['oracle', 'all_objects', 'nothing'])
    def test_as_the_metric_scores(self, roots, scores, name):
        """All records, bit for bit, of predictions made in another way."""
        for subset, found in scores.items():
            clips = read_json(roots[subset] / 'clips.json')
            twins = read_json(roots[subset] / 'sound_pairs.json')
            for clip in found[name]:
                mask = masks_of(roots[subset], clip.video_id)
                prediction = mask * (name != 'nothing')
                if name == 'all_objects':
                    is_whole = {
                        len(clips[clip.video_id]['objects'])
                        == len(one) + len(other)
                        for one, other in zip(
                            clips[clip.video_id]['sounding'],
                            clips[twins[clip.video_id]['twin']]['sounding'],
                            strict=True,
                        )
                    }
                    if is_whole != {True}:
                        continue  # an object is in neither mask
                    prediction = mask | masks_of(
                        roots[subset], twins[clip.video_id]['twin']
                    )
                expected = AVSMetric(prefix='any').score_clip(
                    clip.video_id,
                    torch.from_numpy(prediction).float(),
                    torch.from_numpy(mask),
                )
                assert np.array_equal(clip.iou, expected.iou)
                assert np.array_equal(clip.f_curve, expected.f_curve)
                assert np.array_equal(clip.non_empty, expected.non_empty)
                assert clip.non_empty.dtype == bool

    def test_oracle_is_perfect_at_full_size(self, scores):
        for found in scores.values():
            assert dataset_scores(found['oracle']) == pytest.approx((1, 1))

    def test_oracle_through_the_resize_of_a_config(self, roots):
        resize = TRANSFORMS.build(
            dict(type='Resize', scale=(64, 48), keep_ratio=False)
        )
        found = reference_scores(roots['ms3'], input_size=(64, 48))['oracle']
        for clip in found[:4]:
            mask = masks_of(roots['ms3'], clip.video_id)
            small = [
                resize(
                    dict(
                        img=frame, gt_seg_map=frame, seg_fields=['gt_seg_map']
                    )
                )['gt_seg_map']
                for frame in mask
            ]
            small = to_tensor(np.stack(small)).float()[:, None]
            assert small.shape[2:] == (48, 64)
            back = torch.nn.functional.interpolate(
                small, size=(224, 224), mode='bilinear', align_corners=False
            )
            expected = binary_iou(back[:, 0] > 0.5, torch.from_numpy(mask))
            assert np.array_equal(clip.iou, expected.numpy())
        assert 0.7 < mean_iou(found) < 0.97

    def test_nothing_scores_the_silent_frames(self, scores):
        assert mean_iou(scores['s4']['nothing']) == 0.0
        empty = [~clip.non_empty for clip in scores['ms3']['nothing']]
        assert 0.1 < np.mean(empty) < 0.9
        assert mean_iou(scores['ms3']['nothing']) == pytest.approx(
            np.mean(empty)
        )

    def test_who_knows_more_scores_more(self, scores):
        order = ('nothing', 'clip_oracle', 'oracle')
        for found in scores.values():
            miou = [mean_iou(found[name]) for name in order]
            assert miou == sorted(miou)
        # In S4 what sounds never changes.
        assert np.array_equal(
            [clip.iou for clip in scores['s4']['clip_oracle']],
            [clip.iou for clip in scores['s4']['oracle']],
        )
        changing = scores['ms3']
        assert mean_iou(changing['clip_oracle']) < 0.95
        assert mean_iou(changing['vision_only']) < mean_iou(
            changing['clip_oracle']
        )

    def test_vision_only_marks_the_same_in_twins(self, roots, monkeypatch):
        """What is scored, before it meets what sounds."""
        marked = []

        def record(prediction, target):
            marked.append(prediction.clone())
            return f_measure_curve(prediction, target)

        monkeypatch.setattr(references_module, 'f_measure_curve', record)
        for subset in roots:
            marked.clear()
            reference_scores(roots[subset], input_size=(64, 64))
            count = len(REFERENCES)
            of_clips = marked[REFERENCES.index('vision_only') :: count]
            oracles = marked[REFERENCES.index('oracle') :: count]
            assert len(of_clips) == 8
            for one, other in zip(of_clips[::2], of_clips[1::2], strict=True):
                assert torch.equal(one, other)
            assert not torch.equal(oracles[0], oracles[1])

    def test_vision_only_has_the_best_expectation(self, roots, scores):
        """Of two objects one sounds: half of the IoU, whatever is marked.

        Of three it is a third on the average over who sounds, of whom the
        twins are two.
        """
        clips = read_json(roots['s4'] / 'clips.json')
        pairs = read_json(roots['s4'] / 'sound_pairs.json')
        by_name = {c.video_id: c.iou for c in scores['s4']['vision_only']}
        counts = set()
        for name, iou in by_name.items():
            mean = (iou + by_name[pairs[name]['twin']]) / 2
            counts.add(len(clips[name]['objects']))
            if len(clips[name]['objects']) == 2:
                assert np.allclose(mean, 1 / 2, atol=1e-6)
            else:
                assert (mean < 1 / 2).all()
        assert counts == {2, 3}

    def test_best_sets_hand_cases(self):
        """Two objects of 3 and 1 pixels: rows predicted, columns true."""
        a, b = 3 / 4, 1 / 4
        ious = np.array(
            [[1, 0, 0, 0], [0.4, 1, 0, a], [0.6, 0, 1, b], [0.2, a, b, 1]]
        )[..., None]
        sets = object_sets(2)
        for probabilities, expected in (
            ((1, 0, 0, 0), 0),  # silent
            ((0, 0.6, 0.4, 0), 1),  # 0.6 against 0.4 and 0.55
            ((0, 0.5, 0.5, 0), 3),  # a tie of 1, 2 and 3 at 0.5
            ((0.9, 0.05, 0.05, 0), 0),
            ((0.3, 0.0, 0.7, 0), 2),
        ):
            found = references_module._best_sets(
                ious, np.array(probabilities), sets
            )
            assert found.tolist() == [expected]

    def test_labelled_frames_only(self, roots):
        found = reference_scores(roots['s4'], 'train')
        assert [len(clip.iou) for clip in found['oracle']] == [1, 1]
        assert mean_iou(found['oracle']) == pytest.approx(1.0)

    def test_a_changed_mask_is_noticed(self, tmp_path):
        root, _ = write_synthetic_avsbench(tmp_path, 'ms3', {'train': 1})
        reference_scores(root, 'train')
        path = sorted(root.glob('*/gt_masks/**/*.png'))[2]
        mask = cv2.imread(str(path), -1)
        mask[3, 4] ^= 255
        cv2.imwrite(str(path), mask)
        with pytest.raises(ValueError, match=f'{path.name} is not the mask'):
            reference_scores(root, 'train')

    def test_other_folders_and_splits(self, roots, tmp_path):
        with pytest.raises(FileNotFoundError, match='no complete synthetic'):
            reference_scores(tmp_path)
        with pytest.raises(ValueError, match="got 'val' with the clips"):
            reference_scores(roots['s4'], 'val')
        with pytest.raises(ValueError, match="got 'dev'"):
            reference_scores(roots['s4'], 'dev')
        semantic, _ = write_synthetic_avsbench(tmp_path, 'avss', {'train': 1})
        with pytest.raises(ValueError, match="is of 'avss'"):
            reference_scores(semantic, 'train')
