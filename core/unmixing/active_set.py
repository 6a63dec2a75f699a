# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact non-negative and fully constrained abundances of all pixels of a tile at once.

    y = E^T a + n,   minimise |y - E^T a|^2   subject to   a >= 0   and, where asked, sum(a) = 1

(FCLS: Heinz & Chang, IEEE TGRS 39(3), 2001, doi:10.1109/36.911111; NNLS: Lawson & Hanson, 1974). The sum constraint is
eliminated, not weighted. Pixels are first projected on an orthonormal basis of the endmembers (of their differences,
where abundances have a sum): the solution depends on nothing else, and errors grow with the condition of E, not with
its square.
"""

from __future__ import annotations

from copy import copy

import torch

from ..errors import InputError
from .lawson_hanson import LawsonHanson
from .support_table import MAX_ENDMEMBERS, SupportTable

FLOAT32_AMPLIFICATION = 200.0  # float32 errors of abundances stay near 1e-5 up to here; beyond, float64 is used
LARGEST_AMPLIFICATION = 1e8
CHUNK = 1 << 15  # pixels solved at once on a CPU: few enough for their supports and abundances to stay in the cache
STRIP = 1 << 12  # pixels whose whole spectra are worked on at once on a CPU, for the same reason
SUPPORT_COST = 4  # tabling one support takes about as long as solving this many pixels without tables
GPU_CHUNK = 1 << 17


class ActiveSetSolver:
    """Abundances of given endmembers.

    Args:
        endmembers: reflectance, [endmembers, bands].
        sum_to_one: FCLS if True, NNLS if False.
        pixels: how many pixels will be solved; for few of them no supports are tabled. None means many.

    Raises:
        InputError: an endmember holds something that is no finite number.
    """

    def __init__(self, endmembers: torch.Tensor, sum_to_one: bool, pixels: int | None = None) -> None:
        if not endmembers.isfinite().all():
            raise InputError("An endmember has a missing value: leave out that band or that endmember.")
        spectra = endmembers.detach().cpu().to(torch.float64)
        self.count, self.sum_to_one = len(spectra), sum_to_one
        origin = spectra.mean(0) if sum_to_one else torch.zeros_like(spectra[0])
        directions, sizes, _ = torch.linalg.svd((spectra - origin).T, full_matrices=False)
        axes = max(1, int((sizes > sizes[0] * 1e-12).sum()))
        directions = directions[:, :axes].T
        vertices = directions @ (spectra - origin).T
        scale = float(vertices.norm(dim=0).max()) or 1.0
        amplification = _amplification(spectra, sizes, sum_to_one)
        tabled = self.count <= MAX_ENDMEMBERS and (pixels is None or pixels >= SUPPORT_COST * 2**self.count)
        self.dtype = torch.float32 if tabled and amplification <= FLOAT32_AMPLIFICATION else torch.float64
        self._projector = (directions / scale).to(self.dtype)
        self._origin = (directions @ origin / scale)[:, None].to(self.dtype)
        self._supports: SupportTable | LawsonHanson
        if tabled:
            tolerance = torch.finfo(self.dtype).eps / 2 * amplification
            self._supports = SupportTable(vertices / scale, sum_to_one, self.dtype, tolerance)
        else:
            self._supports = LawsonHanson(vertices / scale, sum_to_one)

    def to(self, device: torch.device | str) -> ActiveSetSolver:
        """The same solver on a device; Apple's GPU, which lacks float64, leaves the work to the CPU."""
        device = torch.device("cpu" if torch.device(device).type == "mps" else device)
        moved = copy(self)
        moved._projector, moved._origin = self._projector.to(device), self._origin.to(device)
        moved._supports = self._supports.to(device)
        return moved

    def solve(self, pixels: torch.Tensor) -> torch.Tensor:
        """Solve for the abundances of pixels.

        Args:
            pixels: reflectance, float32 [bands, pixels].

        Returns:
            float32 [endmembers, pixels], none negative, on the device of the pixels.
        """
        asked, pixels = pixels.device, pixels.to(self._projector.device)
        abundances = torch.empty(self.count, pixels.shape[1], dtype=torch.float32, device=pixels.device)
        chunk = CHUNK if pixels.device.type == "cpu" else GPU_CHUNK
        for part, target in zip(pixels.split(chunk, dim=1), abundances.split(chunk, dim=1)):
            self._solve_chunk(part, target)
        return abundances.to(asked)

    def _solve_chunk(self, pixels: torch.Tensor, abundances: torch.Tensor) -> None:
        """Solve for pixels scaled to unit size, so that one tolerance fits dark and bright ones."""
        axes = len(self._projector)
        planes = torch.ones(axes + self.sum_to_one, pixels.shape[1], dtype=self.dtype, device=pixels.device)
        self._project(pixels, planes[:axes])
        planes[:axes] -= self._origin
        size = planes.abs().sum(0).clamp_min_(torch.finfo(self.dtype).tiny)
        planes /= size
        solution = self._supports.solve(planes).T.contiguous().clamp_min_(0)
        if self.sum_to_one:
            solution /= solution.sum(0)
        else:
            solution *= size
        abundances.copy_(solution)

    def _project(self, pixels: torch.Tensor, planes: torch.Tensor) -> None:
        """Write the coordinates of pixels on the reduced basis into planes, [axes, pixels]."""
        if pixels.dtype == self.dtype:
            torch.mm(self._projector, pixels, out=planes)
            return
        strip = _strip(pixels)
        scratch = torch.empty(len(pixels), strip, dtype=self.dtype, device=pixels.device)
        for part, target in zip(pixels.split(strip, dim=1), planes.split(strip, dim=1)):
            torch.mm(self._projector, scratch[:, : part.shape[1]].copy_(part), out=target)


def _amplification(spectra: torch.Tensor, sizes: torch.Tensor, sum_to_one: bool) -> float:
    """How many times a pixel's relative error can grow in abundances: brightest spectrum over least singular value."""
    count, bands = spectra.shape
    free = count - sum_to_one
    if not free:
        return 1.0
    least = float(sizes[free - 1]) if free <= bands else 0.0
    brightest = float(spectra.norm(dim=1).max())
    return min(max(1.0, brightest / least), LARGEST_AMPLIFICATION) if least else LARGEST_AMPLIFICATION


def rmse(endmembers: torch.Tensor, pixels: torch.Tensor, abundances: torch.Tensor) -> torch.Tensor:
    """Root mean squared reconstruction error of each pixel, from the residual itself.

    Args:
        endmembers: [endmembers, bands].
        pixels: [bands, pixels].
        abundances: [endmembers, pixels].

    Returns:
        float32 [pixels], in the unit of the pixels.
    """
    bands, count = pixels.shape
    strip = _strip(pixels)
    error = pixels.new_empty(count)
    scratch = pixels.new_empty(bands, strip)
    mean = pixels.new_full((1, bands), 1 / bands)
    for part, shares, target in zip(pixels.split(strip, 1), abundances.split(strip, 1), error.split(strip)):
        residual = torch.addmm(part, endmembers.T, shares, alpha=-1, out=scratch[:, : len(target)])
        torch.mm(mean, residual.square_(), out=target[None]).sqrt_()
    return error


def _strip(pixels: torch.Tensor) -> int:
    """How many of the pixels, [bands, pixels], to work on at once when all bands are needed."""
    return max(1, min(pixels.shape[1], STRIP if pixels.device.type == "cpu" else GPU_CHUNK))
