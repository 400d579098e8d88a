# A conditional VAE on vision alone, Eq. 1 to 8.
_base_ = ['../mmvae_pvt_s4.py']
model = dict(
    neck=dict(latents=dict(type='VisualLatents')),
    decode_head=dict(
        divergences=dict(
            _delete_=True,
            visual_specific=dict(type='GaussianKLLoss', loss_weight=0.01),
        ),
        loss_orthogonality=None,
        loss_mutual_information=None,
    ),
)
