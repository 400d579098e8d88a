"""ASPPMapping against the definition of a dilated convolution."""

import pytest
import torch
from mmseg.registry import MODELS

from mmavs.models.necks import ASPPMapping


def direct_aspp(mapping, x, dilations):
    """Shifted copies of the input, one per tap, without a convolution."""
    n, _, h, w = x.shape
    border = max(dilations)
    out_channels = mapping.convs[0].weight.shape[0]
    output = x.new_zeros(n, out_channels, h, w)
    padded = x.new_zeros(n, x.shape[1], h + 2 * border, w + 2 * border)
    padded[:, :, border : border + h, border : border + w] = x
    for conv, dilation in zip(mapping.convs, dilations):
        for row in range(3):
            for column in range(3):
                top = border + (row - 1) * dilation
                left = border + (column - 1) * dilation
                shifted = padded[:, :, top : top + h, left : left + w]
                output += torch.einsum(
                    'oi,nihw->nohw', conv.weight[:, :, row, column], shifted
                )
    return output


@pytest.mark.parametrize('dilations', [(3, 6, 12, 18), (1, 2), (5,)])
@pytest.mark.parametrize('size', [(7, 5), (40, 39)])
def test_against_the_definition(size, dilations):
    torch.manual_seed(0)
    mapping = ASPPMapping(3, 4, dilations=dilations).double()
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    value = mapping(x)
    assert value.shape == (2, 4, *size)
    torch.testing.assert_close(value, direct_aspp(mapping, x, dilations))


def test_names_and_shapes_of_the_weights():
    mapping = MODELS.build(
        dict(type='ASPPMapping', in_channels=5, out_channels=7)
    )
    assert {k: tuple(v.shape) for k, v in mapping.state_dict().items()} == {
        f'convs.{j}.weight': (7, 5, 3, 3) for j in range(4)
    }
    assert [conv.dilation for conv in mapping.convs] == [
        (3, 3),
        (6, 6),
        (12, 12),
        (18, 18),
    ]


def test_linear():
    mapping = ASPPMapping(3, 4).double()
    x, y = torch.randn(2, 1, 3, 9, 9, dtype=torch.float64)
    torch.testing.assert_close(
        mapping(2 * x - 3 * y), 2 * mapping(x) - 3 * mapping(y)
    )
    assert not mapping(torch.zeros_like(x)).any()


def test_impulse():
    """Each tap shows up once, at its distance from the impulse."""
    mapping = ASPPMapping(1, 1)
    for j, conv in enumerate(mapping.convs):
        torch.nn.init.constant_(conv.weight, 10.0**j)
    x = torch.zeros(1, 1, 41, 41)
    x[0, 0, 20, 20] = 1
    response = mapping(x)[0, 0]
    expected = torch.zeros(41, 41)
    for j, dilation in enumerate((3, 6, 12, 18)):
        for dy in (-dilation, 0, dilation):
            for dx in (-dilation, 0, dilation):
                expected[20 + dy, 20 + dx] += 10.0**j
    assert torch.equal(response, expected)


@pytest.mark.parametrize('dilations', [(), (3, 0), (-1,)])
def test_bad_dilations_are_refused(dilations):
    with pytest.raises(ValueError, match='dilations must be .* >= 1, got'):
        ASPPMapping(3, 4, dilations=dilations)
