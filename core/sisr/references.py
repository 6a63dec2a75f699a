# SPDX-License-Identifier: GPL-3.0-or-later
"""Which publications stand behind each step of a super-resolution."""

from __future__ import annotations

CITATIONS: dict[str, str] = {
    "leaves": "Xu, X., Gousseau, Y., Kervazo, C. & Ladjal, S. (2026): Synthetic abundance maps for unsupervised "
    "super-resolution of hyperspectral remote sensing images. arXiv:2601.22755",
    "posterior": "Agreement with the input: Gaussian posterior as in Wei, Q., Dobigeon, N. & Tourneret, J.-Y. (2015): "
    "Bayesian fusion of multi-band images. IEEE JSTSP 9(6), 1117-1127. doi:10.1109/JSTSP.2015.2407855",
    "mcnet": "Network of the mode paper: Li, Q., Wang, Q. & Li, X. (2020): Mixed 2D/3D convolutional network for "
    "hyperspectral image super-resolution. Remote Sensing 12(10), 1660. doi:10.3390/rs12101660",
}
"""By step."""
