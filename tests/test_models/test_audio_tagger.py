"""The classifier that teaches the audio network."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from mmseg.registry import MODELS

from mmavs.models import AudioTagger


def make_tagger(**kwargs):
    torch.manual_seed(0)
    tagger = MODELS.build(
        dict(
            type='AudioTagger',
            audio_backbone=dict(
                type='VGGish', width=0.03, out_channels=8, frozen=False
            ),
            num_categories=3,
            **kwargs,
        )
    )
    with torch.no_grad():
        for parameter in tagger.audio_backbone.parameters():
            # Random weights let little through nine layers: patches that
            # cannot be told apart would make every test pass.
            parameter.mul_(2)
    return tagger


def make_inputs():
    """Two clips of different length, the second with two categories."""
    torch.manual_seed(1)
    inputs = [torch.randn(t, 1, 96, 64) for t in (2, 3)]
    samples = [
        BaseDataElement(tags=torch.tensor(tags))
        for tags in ([1.0, 0.0, 0.0], [0.0, 1.0, 1.0])
    ]
    return inputs, samples


def test_logits_of_every_patch():
    tagger, (inputs, _) = make_tagger(), make_inputs()
    assert isinstance(tagger, AudioTagger)
    logits = tagger(inputs)
    assert logits.shape == (5, 3)
    assert logits.std(0).min() > 1e-2
    torch.testing.assert_close(tagger(inputs[1:]), logits[2:])


def test_loss_gives_each_patch_the_tags_of_its_clip():
    tagger, (inputs, samples) = make_tagger(), make_inputs()
    # Probabilities away from 0 and 1, where the logarithm below is exact.
    tagger.classifier.weight.data *= 1e-3
    losses = tagger(inputs, samples, mode='loss')
    tags = torch.tensor([[1.0, 0, 0]] * 2 + [[0.0, 1, 1]] * 3)
    p = tagger(inputs).double().sigmoid()
    expected = -(tags * p.log() + (1 - tags) * (1 - p).log()).mean().float()
    torch.testing.assert_close(losses['loss_tags'], expected)
    torch.testing.assert_close(
        losses['loss_tags'],
        F.binary_cross_entropy_with_logits(tagger(inputs), tags),
    )


def test_activity_is_the_mean_square_of_the_embedding():
    tagger, (inputs, samples) = make_tagger(activity_weight=0.5), make_inputs()
    losses = tagger(inputs, samples, mode='loss')
    embedding = tagger.audio_backbone(torch.cat(inputs))
    expected = 0.5 * (embedding**2).sum() / (5 * 8)
    torch.testing.assert_close(losses['loss_activity'], expected)
    # Both terms, and nothing else, enter the total.
    total, _ = tagger.parse_losses(losses)
    torch.testing.assert_close(total, expected + losses['loss_tags'])


def test_predict_averages_the_probabilities_of_a_clip():
    tagger, (inputs, samples) = make_tagger(), make_inputs()
    predicted = tagger(inputs, samples, mode='predict')
    p = tagger(inputs).sigmoid()
    for sample, expected in zip(predicted, (p[:2].mean(0), p[2:].mean(0))):
        torch.testing.assert_close(sample.scores, expected)


def test_it_learns():
    """Its backbone is trained, and a few steps tell two patches apart."""
    tagger, (inputs, samples) = make_tagger(), make_inputs()
    tagger.train()
    before = tagger.audio_backbone.features[0].weight.clone()
    optimiser = torch.optim.Adam(tagger.parameters(), 0.01)
    values = []
    for _ in range(40):
        loss = tagger(inputs, samples, mode='loss')['loss_tags']
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        values.append(loss.item())
    assert values[-1] < 0.5 * values[0]
    assert not torch.equal(tagger.audio_backbone.features[0].weight, before)


def test_unknown_mode():
    with pytest.raises(ValueError, match="'train'"):
        make_tagger()(make_inputs()[0], mode='train')
