# One model for S4 and MS3, trained on both; its validation and test are on
# MS3. Its score on S4: tools/test.py configs/mmvae_pvt_s4.py CHECKPOINT.
_base_ = [
    './_base_/models/mmvae_pvt.py',
    './_base_/datasets/avsbench_s4_ms3.py',
    './_base_/schedules/adam_15e.py',
    './_base_/default_runtime.py',
]
