# Needs the synthetic set and tools/pretrain_audio.py, see the README.
_base_ = [
    './_base_/models/mmvae_tiny_avss.py',
    './_base_/datasets/synthetic_avss.py',
    './_base_/schedules/tiny.py',
    './_base_/default_runtime.py',
]
train_dataloader = dict(batch_size=4)
train_cfg = dict(max_iters=580, val_interval=290)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=30, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=30, end=580, by_epoch=False),
]
log_processor = dict(by_epoch=False)
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=290))
