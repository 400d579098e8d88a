# Training on S4 and MS3 together, validation and test on MS3. Every clip is
# drawn once an epoch: S4 has twelve times the clips, but one mask in each.
_base_ = './avsbench_ms3.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            dict(
                _base_.train_dataloader.dataset,
                type='AVSBenchS4Dataset',
                data_root='data/AVSBench/Single-source',
            ),
            _base_.train_dataloader.dataset,
        ],
    )
)
