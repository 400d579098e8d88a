# Synthetic clips in the layout of AVSBench Single-source: 224 x 224 files that
# the model sees at 96 x 96, with audio pairs for the sound conditions.
dataset_type = 'AVSBenchS4Dataset'
data_root = 'data/synthetic/Single-source'
num_frames = 5
pairs_file = 'sound_pairs.json'  # relative to data_root
input_size = (96, 96)

train_pipeline = [
    dict(
        type='ClipTransform',
        transforms=[
            dict(type='LoadFrame'),
            dict(type='LoadAVSMask'),
            dict(type='Resize', scale=input_size, keep_ratio=False),
            dict(type='RandomFlip', prob=0.3),
        ],
    ),
    dict(type='LoadAudio'),
    dict(type='VGGishLogMel'),
    dict(type='PackAVSInputs'),
]
test_pipeline = [
    dict(
        type='ClipTransform',
        transforms=[
            dict(type='LoadFrame'),
            dict(type='Resize', scale=input_size, keep_ratio=False),
            # After Resize: masks are compared in their original size.
            dict(type='LoadAVSMask'),
        ],
    ),
    dict(type='LoadAudio'),
    dict(type='VGGishLogMel'),
    dict(type='PackAVSInputs'),
]

train_dataloader = dict(
    batch_size=8,  # clips
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='train',
        num_frames=num_frames,
        pairs_file=pairs_file,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='val',
        num_frames=num_frames,
        pairs_file=pairs_file,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='test',
        num_frames=num_frames,
        pairs_file=pairs_file,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)

val_evaluator = dict(type='AVSMetric')
test_evaluator = val_evaluator
