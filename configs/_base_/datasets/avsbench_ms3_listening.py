# MS3, a seventh of whose training clips are heard with a sound that nothing in
# them makes. Nobody says what sounds in a clip of MS3, so no sound of another
# clip is known to be off its screen.
_base_ = './avsbench_ms3.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='NegativeSounds',
        share=0.15,
        kinds=dict(silence=1, white_noise=2, pink_noise=2, partial=1),
        dataset=_base_.train_dataloader.dataset,
    )
)
