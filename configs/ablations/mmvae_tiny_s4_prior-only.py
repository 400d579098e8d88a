# The codes of the prior path without a posterior: nothing is inferred.
_base_ = ['../mmvae_tiny_s4.py']
terms = ('divergences', 'loss_orthogonality', 'loss_mutual_information')
model = dict(
    neck=dict(with_posterior=False),
    decode_head=dict(
        {k: v for k, v in _base_.model.decode_head.items() if k not in terms},
        _delete_=True,
        type='AVDecodeHead',
    ),
)
