# SPDX-License-Identifier: GPL-3.0-or-later
"""The start of a network gives what the clustered ridge it was made of gives, image by image."""

import torch

from hyperres.core.ssr.baselines import fit_clustered_ridge
from hyperres.core.ssr.pairs import gather
from hyperres.core.ssr.start import ClusteredStart

WIDE = torch.tensor([[-9.0], [9.0]]).expand(2, 30)


def test_images_get_what_the_map_gives_their_pixels(ground):
    scene = ground(materials=8)
    pixels = gather(scene.data.train)
    found = fit_clustered_ridge(pixels.msi, pixels.hsi, pixels.folds, torch.Generator().manual_seed(0))
    start = ClusteredStart.of(found, WIDE)
    images = torch.stack([scene.part(9, 11).msi for _ in range(3)])
    made = start(images)
    for image, planes in zip(images, made):
        assert torch.allclose(planes, found.predict(image.flatten(1)).reshape(30, 9, 11), atol=1e-5)
    again = ClusteredStart(start.state_dict())
    assert torch.equal(again(images), made)


def test_coordinates_stay_within_their_limits(ground):
    scene = ground()
    pixels = gather(scene.data.train)
    found = fit_clustered_ridge(pixels.msi, pixels.hsi, pixels.folds, torch.Generator().manual_seed(0))
    made = ClusteredStart.of(found, WIDE / 30)(50 * scene.part(8, 8).msi[None])
    assert float(made.abs().max()) <= 0.3 + 1e-6
