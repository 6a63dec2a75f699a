# SPDX-License-Identifier: GPL-3.0-or-later
"""Which publications stand behind each step of a fusion."""

from __future__ import annotations

CITATIONS: dict[str, str] = {
    "spectralift": "Shah, R. & Duarte, M. F. (2025): SpectraLift: physics-guided spectral-inversion network for "
    "self-supervised hyperspectral image super-resolution. arXiv:2507.13339",
    "spectramorph": "Shah, R. & Duarte, M. F. (2025): SpectraMorph: structured latent learning for self-supervised "
    "hyperspectral super-resolution. arXiv:2510.20814",
    "correction": "Correction by both images: Gaussian posterior as in Wei, Q., Dobigeon, N. & Tourneret, J.-Y. "
    "(2015): Bayesian fusion of multi-band images. IEEE JSTSP 9(6), 1117-1127. doi:10.1109/JSTSP.2015.2407855",
    "subspace": "Spectral subspace and blind estimation of the sensors' responses: Simões, M., Bioucas-Dias, J., "
    "Almeida, L. B. & Chanussot, J. (2015): A convex formulation for hyperspectral image superresolution via "
    "subspace-based regularization. IEEE TGRS 53(6), 3373-3388. doi:10.1109/TGRS.2014.2375320",
    "wald": "Wald, L., Ranchin, T. & Mangolini, M. (1997): Fusion of satellite images of different spatial "
    "resolutions: assessing the quality of resulting images. PE&RS 63(6), 691-699.",
}
"""By method or step."""
