# The synthetic benchmark in the layout of AVSBench Multi-sources. Loaded as
# that of Single-source is.
_base_ = './benchmark_s4.py'

dataset_type = 'AVSBenchMS3Dataset'
data_root = 'data/benchmark/Multi-sources'

# Every frame is labelled, so four clips already give twenty masks a step.
train_dataloader = dict(
    batch_size=4, dataset=dict(type=dataset_type, data_root=data_root)
)
val_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root))
test_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root))
