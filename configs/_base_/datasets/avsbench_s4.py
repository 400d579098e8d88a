# AVSBench Single-source (S4): one sounding object, 5 frames per clip, of a
# training clip only the first is labelled.
dataset_type = 'AVSBenchS4Dataset'
data_root = 'data/AVSBench/Single-source'
num_frames = 5
input_size = (224, 224)

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
    batch_size=4,  # clips
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='train',
        num_frames=num_frames,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='val',
        num_frames=num_frames,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='test',
        num_frames=num_frames,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)

val_evaluator = dict(type='AVSMetric')
test_evaluator = val_evaluator
