# AVSBench-semantic (AVSS): 71 classes; v1s and v1m with 5 frames per clip, v2
# with 10. A batch holds clips of one length, so nothing is padded. Loaded as
# S4 is, from files in their original sizes; scored at 224 x 224, as in the
# published evaluations.
_base_ = './avsbench_s4.py'

dataset_type = 'AVSBenchSemanticDataset'
data_root = 'data/AVSBench/AVSBench-semantic'

test_pipeline = [
    dict(
        type='ClipTransform',
        transforms=[
            dict(type='LoadFrame'),
            dict(type='LoadAVSMask'),
            dict(type='Resize', scale=_base_.input_size, keep_ratio=False),
            # To score at the size of the files, leave this out and load the
            # mask after Resize.
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
