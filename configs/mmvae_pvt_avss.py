# 30 epochs, as MS3, are a choice: the paper has no results on this data.
_base_ = [
    './_base_/models/mmvae_pvt_avss.py',
    './_base_/datasets/avsbench_semantic.py',
    './_base_/schedules/adam_15e.py',
    './_base_/default_runtime.py',
]
train_cfg = dict(max_epochs=30)
