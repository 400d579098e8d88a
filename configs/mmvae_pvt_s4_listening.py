# mmvae_pvt_s4.py with training clips whose sound comes from nothing in view.
_base_ = [
    './_base_/models/mmvae_pvt.py',
    './_base_/datasets/avsbench_s4_listening.py',
    './_base_/schedules/adam_15e.py',
    './_base_/default_runtime.py',
]
