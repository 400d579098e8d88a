# mmvae_tiny_ms3.py with training clips whose sound comes from nothing in view.
_base_ = [
    './_base_/models/mmvae_tiny.py',
    './_base_/datasets/synthetic_ms3_listening.py',
    './_base_/schedules/tiny.py',
    './_base_/default_runtime.py',
]
train_cfg = dict(max_iters=580, val_interval=290)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=30, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=30, end=580, by_epoch=False),
]
log_processor = dict(by_epoch=False)
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=290))
