# S4, a seventh of whose training clips are heard with a sound that nothing in
# them makes. Off the screen is taken to be what another category sounds like.
_base_ = './avsbench_s4.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='NegativeSounds',
        share=0.15,
        kinds=dict(
            silence=1, white_noise=2, pink_noise=2, off_screen=2, partial=1
        ),
        dataset=_base_.train_dataloader.dataset,
    )
)
