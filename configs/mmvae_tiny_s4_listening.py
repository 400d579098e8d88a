# mmvae_tiny_s4.py with training clips whose sound comes from nothing in view.
_base_ = [
    './_base_/models/mmvae_tiny.py',
    './_base_/datasets/synthetic_s4_listening.py',
    './_base_/schedules/tiny.py',
    './_base_/default_runtime.py',
]
log_processor = dict(by_epoch=False)
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=140))
