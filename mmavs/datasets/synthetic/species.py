"""The eight species: what an object looks like and how it sounds."""

from dataclasses import dataclass

__all__ = ['CLASSES', 'SPECIES', 'Species', 'class_name']


@dataclass(frozen=True)
class Species:
    """One kind of object.

    A species is recognisable by eye (shape, texture and hue family) and by
    ear (timbre). Every feature belongs to one species only, so that the
    pairing of sight and sound is what there is to learn.

    Attributes:
        name (str): the category name, as in the S4 folders.
        shape (str): a key of :data:`sprites.SHAPES`.
        texture (str): a key of :data:`sprites.TEXTURES`.
        hue_deg (float): centre of the hue family on the colour circle.
        timbre (str): a key of :data:`timbres.TIMBRES`.
    """

    name: str
    shape: str
    texture: str
    hue_deg: float
    timbre: str


_ALL = (
    Species('organ_disc', 'disc', 'rings', 0.0, 'organ'),
    Species('siren_triangle', 'triangle', 'stripes', 35.0, 'siren'),
    Species('whistle_star', 'star', 'shading', 62.0, 'whistle'),
    Species('click_cross', 'cross', 'dots', 120.0, 'click'),
    Species('hiss_crescent', 'crescent', 'speckle', 178.0, 'hiss'),
    Species('rumble_square', 'square', 'checker', 218.0, 'rumble'),
    Species('buzz_trefoil', 'trefoil', 'zigzag', 268.0, 'buzz'),
    Species('bell_ring', 'ring', 'spokes', 318.0, 'bell'),
)

SPECIES = {species.name: species for species in _ALL}
"""dict[str, Species]: every species by name, in a fixed order."""


def class_name(species):
    """Name of a species in AVSBench-semantic, where '_' joins names.

    Args:
        species (str): a key of :data:`SPECIES`.

    Returns:
        str: the same with hyphens.
    """
    return species.replace('_', '-')


CLASSES = ('background', *map(class_name, SPECIES))
"""tuple[str]: classes of the semantic masks in the order of their indices."""
