# The pipeline of avsbench_strong.py, where its strengths are explained, for
# the 96 x 96 of the tiny configs.
strong_pipeline = [
    dict(
        type='ClipTransform',
        transforms=[
            dict(type='LoadFrame'),
            dict(type='LoadAVSMask'),
            dict(
                type='RandomResize',
                scale=(96, 96),
                ratio_range=(0.75, 1.5),
                keep_ratio=False,
            ),
            dict(type='RandomCrop', crop_size=(96, 96)),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PhotoMetricDistortion'),
            dict(
                type='Pad',
                size=(96, 96),
                pad_val=dict(img=(104, 116, 124), seg=255),
            ),
        ],
    ),
    dict(type='LoadAudio'),
    dict(type='RandomTimeShift', max_shift_s=0.1, prob=0.5),
    dict(type='RandomGain', gain_db=(-6, 6), prob=0.5),
    dict(type='RandomNoise', snr_db=(15, 40), prob=0.5),
    dict(type='VGGishLogMel'),
    dict(
        type='SpecAugment',
        max_time_mask_s=0.15,
        max_mel_mask_bins=8,
        prob=0.5,
    ),
    dict(type='PackAVSInputs'),
]
