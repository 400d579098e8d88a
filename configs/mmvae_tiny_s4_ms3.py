# mmvae_pvt_s4_ms3.py on the synthetic sets, with the schedule of the tiny MS3.
_base_ = [
    './_base_/models/mmvae_tiny.py',
    './_base_/datasets/synthetic_s4_ms3.py',
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
