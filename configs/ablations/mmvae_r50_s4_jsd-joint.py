# JSD without factorisation: one joint latent, Eq. 10.
_base_ = ['../mmvae_r50_s4.py']
model = dict(
    neck=dict(latents=dict(type='JointGeometricMeanLatents')),
    decode_head=dict(
        divergences=dict(
            _delete_=True,
            joint=dict(type='GeometricJSDLoss', loss_weight=0.01),
        ),
        loss_orthogonality=None,
        loss_mutual_information=None,
    ),
)
