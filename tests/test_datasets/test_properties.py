"""Every encoding, length and name a data set may have, drawn at random."""

import csv
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from avsbench_layout import frame_of, save_image
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mmavs.datasets import AVSBenchMS3Dataset, AVSBenchS4Dataset
from mmavs.datasets.layout import LAYOUTS
from mmavs.datasets.transforms.load_audio import resample_waveform
from mmavs.functional.log_mel import vggish_log_mel

DATASETS = dict(s4=AVSBenchS4Dataset, ms3=AVSBenchMS3Dataset)
PIPELINE = [
    dict(
        type='ClipTransform',
        transforms=[dict(type='LoadFrame'), dict(type='LoadAVSMask')],
    ),
    dict(type='LoadAudio'),
    dict(type='VGGishLogMel'),
    dict(type='PackAVSInputs'),
]
# Quantisation steps; those of floats are far below the log-mel's offset.
SUBTYPES = dict(PCM_16=2**-15, PCM_24=2**-23, PCM_32=2**-31, FLOAT=2**-24)
RATES_HZ = (8000, 11025, 16000, 22050, 44100, 48000)

# What a file system takes as one name: nothing that ends or splits a path.
plain_names = st.one_of(
    st.from_regex(r'[-_]?[A-Za-z0-9_-]{1,11}', fullmatch=True),
    st.from_regex(r'0?[0-9]{1,10}', fullmatch=True),
    st.sampled_from(['1e5', 'nan', 'None', '-', '{k}', 'a b', 'ünï', '歌']),
    st.text(
        st.characters(
            blacklist_categories=('Cs', 'Cc', 'Zs', 'Zl', 'Zp'),
            blacklist_characters='/\\',
        ),
        min_size=1,
        max_size=20,
    ).filter(lambda name: name.strip('.') and name == name.strip()),
)
clips = st.fixed_dictionaries(
    dict(
        setting=st.sampled_from(list(DATASETS)),
        video_id=plain_names,
        category=plain_names,
        split=st.sampled_from(['train', 'val', 'test']),
        header=st.booleans(),
        mode=st.sampled_from(['1', 'L', 'P', 'RGB']),
        top=st.sampled_from([1, 255]),
        rate_hz=st.sampled_from(RATES_HZ),
        num_channels=st.sampled_from([1, 2]),
        subtype=st.sampled_from(list(SUBTYPES)),
        seconds=st.floats(0.98, 2.2),
        size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
        seed=st.integers(0, 2**32 - 1),
    )
)


def save_mask(path, mask, mode, top):
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == '1':
        image = Image.fromarray(mask)
    elif mode == 'RGB':
        image = Image.fromarray(
            np.repeat(mask[..., None], 3, -1) * np.uint8(top)
        )
    else:
        image = Image.fromarray(mask * np.uint8(top))
        if mode == 'P':
            image.putpalette([9, 9, 9] * 256)
    image.save(path)


def write_clip(root, clip, rng):
    """Write one clip as asked for; its frames, masks and waveform."""
    layout = LAYOUTS[clip['setting']]
    row = {name: clip.get(name, '0') for name in layout.columns}
    with (root / layout.csv_name).open('w', newline='') as stream:
        writer = csv.writer(stream)
        if clip['header']:
            writer.writerow([c.headers[0] for c in layout.columns.values()])
        writer.writerow(row.values())

    masks = {}
    for k in layout.frame_numbers(row):
        height, width = clip['size']
        frame = np.resize(frame_of('x', k), (height, width, 3))
        save_image(root / layout.path('img_path', row, k), frame)
        if k in layout.labelled_numbers(row):
            masks[k] = rng.random((height, width)) < 0.4
            masks[k][0, 0] = True  # never empty
            save_mask(
                root / layout.path('seg_map_path', row, k),
                masks[k],
                clip['mode'],
                clip['top'],
            )
    shape = (int(clip['seconds'] * clip['rate_hz']), clip['num_channels'])
    samples = rng.uniform(-0.5, 0.5, shape)
    audio = root / layout.path('audio_path', row)
    audio.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(audio, samples, clip['rate_hz'], clip['subtype'])
    return masks, samples.mean(1)


@settings(
    max_examples=500,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(clip=clips)
def test_what_is_written_is_what_is_loaded(clip):
    rng = np.random.default_rng(clip['seed'])
    with tempfile.TemporaryDirectory() as folder:
        masks, waveform = write_clip(Path(folder), clip, rng)
        dataset = DATASETS[clip['setting']](
            data_root=folder,
            split=clip['split'],
            pipeline=PIPELINE,
            serialize_data=False,  # it collects garbage each time, slowly
        )
        packed = dataset[0]
    sample = packed['data_samples']
    assert len(dataset) == 1
    assert sample.video_id == clip['video_id']
    assert packed['inputs']['frames'].shape == (5, 3, *clip['size'])
    for t, mask in enumerate(sample.gt_sem_seg.data.numpy()):
        expected = masks.get(t + 1, np.uint8(255))
        assert np.array_equal(mask, np.broadcast_to(expected, mask.shape))
    expected = vggish_log_mel(
        resample_waveform(waveform, clip['rate_hz'], 16000), 5
    )
    error = np.abs(packed['inputs']['log_mel'][:, 0].numpy() - expected)
    # A step of the quantisation moves each of a bin's magnitudes by at most
    # the sum of the window, 200, against the offset 0.01 of the logarithm;
    # what noise of that size does is far less.
    assert error.max() < 1e-4 + 400 * SUBTYPES[clip['subtype']]
