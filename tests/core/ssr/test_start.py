# SPDX-License-Identifier: GPL-3.0-or-later
"""The start of a network gives what the map of pixels it was made of gives, image by image."""

import pytest
import torch

from hyperres.core.ssr.contest import SIMPLE, fit_simple
from hyperres.core.ssr.start import PixelStart


@pytest.mark.parametrize("kind", range(len(SIMPLE)))
def test_images_get_what_the_map_gives_their_pixels(ground, context, kind):
    scene = ground(materials=8)
    way = fit_simple(scene.data, context)[kind][0]
    start = PixelStart.of(way, torch.eye(30))
    images = torch.stack([scene.part(9, 11).msi for _ in range(3)])
    made = start(images)
    for image, planes in zip(images, made):
        spectra = torch.einsum("cd,dij->cij", way.basis, way.coordinates(image))
        assert torch.allclose(planes, spectra, atol=1e-5)
    again = PixelStart(start.header, start.state_dict())
    assert torch.equal(again(images), made)
