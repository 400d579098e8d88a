# Needs the synthetic set and tools/pretrain_audio.py, see the README.
_base_ = [
    './_base_/models/mmvae_tiny.py',
    './_base_/datasets/synthetic_s4.py',
    './_base_/schedules/tiny.py',
    './_base_/default_runtime.py',
]
log_processor = dict(by_epoch=False)
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=140))
