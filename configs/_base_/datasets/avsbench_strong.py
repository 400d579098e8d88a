# Stronger augmentation than the paper's single flip, as training pipeline for
# any of the AVSBench sets: one draw per clip, for its frames and its sound.
strong_pipeline = [
    dict(
        type='ClipTransform',
        transforms=[
            dict(type='LoadFrame'),
            dict(type='LoadAVSMask'),
            # 0.75 to 1.5 times the input size: zooming in crops, zooming out
            # pads. Narrower than the 0.5 to 2 of MMSegmentation's configs,
            # whose frames are cut to a part of them anyway; here a crop of a
            # quarter would often lose the one object that sounds. The shape
            # changes to the input's, as in testing.
            dict(
                type='RandomResize',
                scale=(224, 224),
                ratio_range=(0.75, 1.5),
                keep_ratio=False,
            ),
            # No cat_max_ratio: it would look at the mask of each frame and
            # draw for each another crop, which ClipTransform refuses.
            dict(type='RandomCrop', crop_size=(224, 224)),
            # Waveforms are mono: nothing in them tells left from right.
            dict(type='RandomFlip', prob=0.5),
            # The strengths of MMSegmentation's configs.
            dict(type='PhotoMetricDistortion'),
            # With the mean colour (BGR), 0 after normalisation.
            dict(
                type='Pad',
                size=(224, 224),
                pad_val=dict(img=(104, 116, 124), seg=255),
            ),
        ],
    ),
    dict(type='LoadAudio'),
    # Less than the 0.2 s by which patches of 0.96 s and frames of 1 s are
    # apart at the end of a clip in any case.
    dict(type='RandomTimeShift', max_shift_s=0.1, prob=0.5),
    dict(type='RandomGain', gain_db=(-6, 6), prob=0.5),
    # From well audible to barely: the source stays the loudest.
    dict(type='RandomNoise', snr_db=(15, 40), prob=0.5),
    dict(type='VGGishLogMel'),
    # An eighth of the bins and a sixth of a patch: milder than SpecAugment's
    # policies for speech, for VGGish is frozen and cannot adapt to gaps.
    dict(
        type='SpecAugment',
        max_time_mask_s=0.15,
        max_mel_mask_bins=8,
        prob=0.5,
    ),
    dict(type='PackAVSInputs'),
]
