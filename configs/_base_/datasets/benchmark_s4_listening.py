# The S4 set of the synthetic benchmark for a second training: three of ten
# clips are heard with silence or noise.
_base_ = './benchmark_s4.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='NegativeSounds',
        share=0.3,
        kinds=dict(silence=1, white_noise=3, pink_noise=2),
        dataset=_base_.train_dataloader.dataset,
    )
)
