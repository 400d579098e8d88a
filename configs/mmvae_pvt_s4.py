_base_ = [
    './_base_/models/mmvae_pvt.py',
    './_base_/datasets/avsbench_s4.py',
    './_base_/schedules/adam_15e.py',
    './_base_/default_runtime.py',
]
