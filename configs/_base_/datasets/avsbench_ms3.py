# AVSBench Multi-sources (MS3): several objects of which some sound, 5 frames
# per clip, all of them labelled. Loaded as S4 is.
_base_ = './avsbench_s4.py'

dataset_type = 'AVSBenchMS3Dataset'
data_root = 'data/AVSBench/Multi-sources'

train_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root))
val_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root))
test_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root))
