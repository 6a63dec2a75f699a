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
CHUNK_BYTES = {"cpu": 1 << 16, "cuda": 1 << 20}  # of one plane: on the CPU scratch should stay in the cache


class ActiveSetSolver:
    """Abundances of given endmembers.

    Args:
        endmembers: reflectance, [endmembers, bands].
        sum_to_one: FCLS if True, NNLS if False.

    Raises:
        InputError: an endmember holds something that is no finite number.
    """

    def __init__(self, endmembers: torch.Tensor, sum_to_one: bool) -> None:
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
        tabled = self.count <= MAX_ENDMEMBERS
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
        chunk = _chunk(pixels.device, self.dtype)
        converted = None
        if pixels.dtype != self.dtype:
            converted = torch.empty(len(pixels), min(chunk, pixels.shape[1]), dtype=self.dtype, device=pixels.device)
        for part, target in zip(pixels.split(chunk, dim=1), abundances.split(chunk, dim=1)):
            exact = part if converted is None else converted[:, : part.shape[1]].copy_(part)
            self._solve_chunk(exact, target)
        return abundances.to(asked)

    def _solve_chunk(self, pixels: torch.Tensor, abundances: torch.Tensor) -> None:
        """Solve for pixels scaled to unit size, so that one tolerance fits dark and bright ones."""
        axes = len(self._projector)
        planes = torch.ones(axes + self.sum_to_one, pixels.shape[1], dtype=self.dtype, device=pixels.device)
        torch.mm(self._projector, pixels, out=planes[:axes])
        planes[:axes] -= self._origin
        size = planes.abs().sum(0).clamp_min_(torch.finfo(self.dtype).tiny)
        planes /= size
        solution = self._supports.solve(planes).T.contiguous().clamp_min_(0)
        if self.sum_to_one:
            solution /= solution.sum(0)
        else:
            solution *= size
        abundances.copy_(solution)


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
    chunk = _chunk(pixels.device, pixels.dtype)
    error = pixels.new_empty(count)
    scratch = pixels.new_empty(bands, min(chunk, count))
    mean = pixels.new_full((1, bands), 1 / bands)
    for part, shares, target in zip(pixels.split(chunk, 1), abundances.split(chunk, 1), error.split(chunk)):
        residual = torch.addmm(part, endmembers.T, shares, alpha=-1, out=scratch[:, : len(target)])
        torch.mm(mean, residual.square_(), out=target[None]).sqrt_()
    return error


def _chunk(device: torch.device, dtype: torch.dtype) -> int:
    """How many pixels are worked on at once."""
    return CHUNK_BYTES.get(device.type, CHUNK_BYTES["cuda"]) // dtype.itemsize
