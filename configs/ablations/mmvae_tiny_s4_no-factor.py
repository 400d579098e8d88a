# One latent per modality, mapped to one joint code (Fig. 1).
_base_ = ['../mmvae_tiny_s4.py']
model = dict(
    neck=dict(latents=dict(type='UnfactorisedLatents')),
    decode_head=dict(
        divergences=dict(
            _delete_=True,
            visual_specific=dict(type='GaussianKLLoss', loss_weight=0.01),
            audio_specific=dict(type='GaussianKLLoss', loss_weight=0.01),
        ),
        loss_orthogonality=None,
        loss_mutual_information=None,
    ),
)
