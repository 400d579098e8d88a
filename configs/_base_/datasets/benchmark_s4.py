# The synthetic benchmark in the layout of AVSBench Single-source, which the
# model sees at 64 x 64. See tools/dataset_converters/synthetic_avsbench.py.
_base_ = './synthetic_s4.py'

data_root = 'data/benchmark/Single-source'
input_size = (64, 64)

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
    dataset=dict(data_root=data_root, pipeline=train_pipeline)
)
val_dataloader = dict(
    dataset=dict(data_root=data_root, pipeline=test_pipeline)
)
test_dataloader = dict(
    dataset=dict(data_root=data_root, pipeline=test_pipeline)
)
