# SPDX-License-Identifier: GPL-3.0-or-later
"""A made-up ground that both sensors see, with everything about it known."""

from types import SimpleNamespace

import pytest
import torch

from hyperres.core.bands import BandTable
from hyperres.core.engine.method import Context
from hyperres.core.ssr import contest
from hyperres.core.ssr.pairs import TrainingData, TrainingPart

torch.set_num_threads(1)  # as in the engine; images are too small for more
HSI_BANDS, MSI_BANDS = 30, 4


def make_ground(materials=4, noise=0.0, side=48, seed=0):
    """Smooth spectra of some materials, mixed at random, and a camera with four bands."""
    generator = torch.Generator().manual_seed(seed)
    nm = torch.linspace(400, 980, HSI_BANDS)
    centres = torch.tensor([450.0, 560.0, 650.0, 840.0])
    response = torch.exp(-0.5 * ((nm - centres[:, None]) / 25.0) ** 2)
    response = response / response.sum(dim=1, keepdim=True)
    peaks = 400 + 600 * torch.rand(materials, 1, generator=generator)
    spectra = 0.1 + 0.5 * torch.exp(-0.5 * ((nm - peaks) / 90.0) ** 2)

    def part(rows, cols):
        shares = torch.rand(materials, rows, cols, generator=generator)
        hsi = torch.einsum("mb,mij->bij", spectra, shares / shares.sum(dim=0))
        msi = torch.einsum("cb,bij->cij", response, hsi)
        msi = msi + noise * torch.randn(msi.shape, generator=generator)
        return TrainingPart(hsi, msi, torch.ones(rows, cols, dtype=torch.bool))

    hsi_table = BandTable(
        tuple(f"{x:.0f} nm" for x in nm.tolist()),
        (True,) * HSI_BANDS,
        tuple(nm.tolist()),
        (20.0,) * HSI_BANDS,
    )
    msi_table = BandTable(("Blue", "Green", "Red", "NIR"), (True,) * 4, tuple(centres.tolist()), (59.0,) * 4)
    data = TrainingData(
        (part(side, side),),
        (part(side // 2, side),),
        hsi_table,
        msi_table,
        response,
        0.9 * response,
        1.1 * response,
        torch.full((MSI_BANDS,), max(noise**2, 1e-10)),
        gain=torch.ones(MSI_BANDS),
        offset=torch.zeros(MSI_BANDS),
        ceiling=torch.full((MSI_BANDS,), torch.inf),
    )
    return SimpleNamespace(data=data, part=part, response=response, spectra=spectra)


@pytest.fixture(scope="session")
def ground():
    return make_ground


@pytest.fixture(autouse=True)
def short_training(monkeypatch):
    """A pixel network that is only there; what it can do is tested elsewhere."""
    monkeypatch.setattr(contest, "PIXEL_STEPS", 40)


@pytest.fixture()
def context():
    return Context(torch.device("cpu"), seed=1)
