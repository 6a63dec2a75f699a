# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bands of an MSI leave open about a spectrum.

Spectra vary about their mean with covariance S. An MSI y = R x + noise of variance N narrows that to

    S' = S - K R S = (I - K R) S,    K = S R^T (R S R^T + N)^-1

(the Wiener gain). Its diagonal is the variance that no method can go below without knowing more of the scene than S.
Without noise it is what of S lies in the null space of R.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..bands import BandTable

_BLIND = 0.5


@dataclass(frozen=True)
class Unseen:
    """How much of each HSI band is left open.

    Attributes:
        variance: diagonal of S', in squared units of the HSI, float32 [..., C].
        share: of the variance before, 0 (the MSI tells the band) to 1 (it tells nothing), float32 [..., C].
    """

    variance: torch.Tensor
    share: torch.Tensor

    @property
    def blind(self) -> torch.Tensor:
        """Bands that the MSI cannot see: it explains less than half of how they vary, bool [..., C]."""
        return self.share > _BLIND


def find_unseen(covariance: torch.Tensor, response: torch.Tensor, noise: torch.Tensor) -> Unseen:
    """Find what the MSI leaves open.

    Args:
        covariance: S of training spectra, [..., C, C]; one for each class of pixels makes the answer differ from pixel
            to pixel.
        response: R, gains included, [c, C].
        noise: variance of each MSI band's noise, [c].
    """
    s, r = covariance.double(), response.double()
    seen = r @ s
    system = seen @ r.mT
    # bands that see the same, without noise, would leave the system without a solution
    least = 1e-9 * system.diagonal(dim1=-2, dim2=-1).mean(dim=-1)[..., None]
    factor = torch.linalg.cholesky(system + torch.diag_embed(noise.double() + least.clamp_min(1e-30)))
    before = s.diagonal(dim1=-2, dim2=-1)
    known = torch.linalg.solve_triangular(factor, seen, upper=False).square().sum(dim=-2)
    after = (before - known).clamp_min(0.0)
    share = torch.where(before > 0, after / before.clamp_min(1e-30), 0.0)
    return Unseen(after.float(), share.float())


def blind_note(unseen: Unseen, table: BandTable) -> tuple[str, ...]:
    """A sentence on bands that the MSI cannot see, if there are any.

    Args:
        unseen: of all bands.
        table: those bands.
    """
    blind = unseen.blind.nonzero().flatten().tolist()
    if not blind:
        return ()
    names = [table.names[i] for i in blind]
    if table.wavelength_nm is not None:
        names = _stretches([table.wavelength_nm[i] for i in blind], table.wavelength_nm)
    return (
        f"The multispectral bands cannot see {len(blind)} of {len(unseen.blind)} bands ({', '.join(names[:8])}"
        f"{', ...' if len(names) > 8 else ''}): they explain less than half of how those vary, so what is written "
        "there is what such ground usually looks like.",
    )


def _stretches(blind_nm: list[float], all_nm: tuple[float, ...]) -> list[str]:
    """Wavelengths as stretches of neighbouring bands."""
    order, spans = sorted(all_nm), list[list[float]]()
    for nm in sorted(blind_nm):
        follows = spans and order.index(nm) == order.index(spans[-1][1]) + 1
        if follows:
            spans[-1][1] = nm
        else:
            spans.append([nm, nm])
    return [f"{a:.0f} nm" if a == b else f"{a:.0f}-{b:.0f} nm" for a, b in spans]
