# Synthetic clips in the layout of AVSBench Multi-sources. Loaded as the
# synthetic S4 is.
_base_ = './synthetic_s4.py'

dataset_type = 'AVSBenchMS3Dataset'
data_root = 'data/synthetic/Multi-sources'

# Every frame is labelled, so four clips already give twenty masks a step.
train_dataloader = dict(
    batch_size=4, dataset=dict(type=dataset_type, data_root=data_root)
)
val_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root))
test_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root))
