# mmvae_r50_ms3.py with training clips whose sound comes from nothing in view.
_base_ = [
    './_base_/models/mmvae_r50.py',
    './_base_/datasets/avsbench_ms3_listening.py',
    './_base_/schedules/adam_15e.py',
    './_base_/default_runtime.py',
]
train_cfg = dict(max_epochs=30)
