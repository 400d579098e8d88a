# Training on the synthetic S4 and MS3 together, validation and test on MS3.
_base_ = './synthetic_ms3.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            dict(
                _base_.train_dataloader.dataset,
                type='AVSBenchS4Dataset',
                data_root='data/synthetic/Single-source',
            ),
            _base_.train_dataloader.dataset,
        ],
    )
)
