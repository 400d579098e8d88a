# One joint latent: PoE(unit, visual, audio), Eq. 9.
_base_ = ['../mmvae_pvt_s4.py']
model = dict(
    neck=dict(latents=dict(type='JointProductLatents')),
    decode_head=dict(
        divergences=dict(
            _delete_=True,
            joint=dict(type='GaussianKLLoss', loss_weight=0.01),
        ),
        loss_orthogonality=None,
        loss_mutual_information=None,
    ),
)
