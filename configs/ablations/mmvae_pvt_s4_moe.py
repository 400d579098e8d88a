# One joint latent: the mixture of experts, trained with IWAE.
_base_ = ['../mmvae_pvt_s4.py']
model = dict(
    neck=dict(latents=dict(type='JointMixtureLatents', num_samples=2)),
    decode_head=dict(
        type='IWAEDecodeHead',
        loss_bound=dict(type='ImportanceWeightedLoss', beta=0.01),
        divergences=None,
        loss_orthogonality=None,
        loss_mutual_information=None,
    ),
)
