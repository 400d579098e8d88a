# Synthetic clips in the layout of AVSBench-semantic: eight classes and the
# background, 5 and 10 frames per clip. Loaded as the synthetic S4 is, scored
# at the size of the input.
_base_ = './synthetic_s4.py'

dataset_type = 'AVSBenchSemanticDataset'
data_root = 'data/synthetic/AVSBench-semantic'

test_pipeline = [
    dict(
        type='ClipTransform',
        transforms=[
            dict(type='LoadFrame'),
            dict(type='LoadAVSMask'),
            dict(type='Resize', scale=_base_.input_size, keep_ratio=False),
            dict(type='ScoreAtInputSize'),
        ],
    ),
    dict(type='LoadAudio'),
    dict(type='VGGishLogMel'),
    dict(type='PackAVSInputs'),
]

train_dataloader = dict(
    batch_sampler=dict(type='SameLengthBatchSampler'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        num_frames=None,  # those of each subset
    ),
)
val_dataloader = dict(
    batch_sampler=dict(type='SameLengthBatchSampler'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        num_frames=None,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_sampler=dict(type='SameLengthBatchSampler'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        num_frames=None,
        pipeline=test_pipeline,
    ),
)

val_evaluator = dict(_delete_=True, type='AVSSemanticMetric')
test_evaluator = val_evaluator
