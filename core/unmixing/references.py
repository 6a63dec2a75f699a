# SPDX-License-Identifier: GPL-3.0-or-later
"""What each choice of unmixing is called in words, and which publication to cite for it."""

from __future__ import annotations

EXTRACTION_NAMES: dict[str, str] = {
    "archetypal": "robust archetypal analysis of spectral directions",
    "snpa": "SNPA (successive nonnegative projection)",
    "vca": "VCA (vertex component analysis)",
    "nfindr": "N-FINDR (largest simplex)",
    "minvolnmf": "minimum-volume NMF",
}

MODEL_NAMES: dict[str, str] = {
    "fcls": "FCLS (abundances not negative, sum to one)",
    "nnls": "NNLS (abundances not negative)",
    "ucls": "UCLS (no constraint)",
    "scaled": "scaled (not negative, brightness split off)",
    "sunsal": "SUnSAL (not negative, few at a time)",
}

NORMALIZE_NAMES: dict[str, str] = {
    "auto": "as the image needs it",
    "none": "none",
    "l2": "spectra scaled to unit length before solving",
}

CITATIONS: dict[str, str] = {
    "archetypal": "Cutler, A. & Breiman, L. (1994): Archetypal analysis. Technometrics 36(4), 338-347. "
    "doi:10.1080/00401706.1994.10485840; robust as in Chen, Y., Mairal, J. & Harchaoui, Z. (2014): Fast and robust "
    "archetypal analysis for representation learning. IEEE CVPR.",
    "snpa": "Gillis, N. (2014): Successive nonnegative projection algorithm for robust nonnegative blind source "
    "separation. SIAM Journal on Imaging Sciences 7(2), 1420-1450. doi:10.1137/130946782",
    "vca": "Nascimento, J. M. P. & Bioucas-Dias, J. M. (2005): Vertex component analysis: a fast algorithm to unmix "
    "hyperspectral data. IEEE TGRS 43(4), 898-910. doi:10.1109/TGRS.2005.844293",
    "nfindr": "Winter, M. E. (1999): N-FINDR: an algorithm for fast autonomous spectral end-member determination in "
    "hyperspectral data. Proceedings of SPIE 3753. doi:10.1117/12.366289",
    "minvolnmf": "Leplat, V., Ang, A. M. S. & Gillis, N. (2019): Minimum-volume rank-deficient nonnegative matrix "
    "factorizations. IEEE ICASSP. doi:10.1109/ICASSP.2019.8682280",
    "fcls": "Heinz, D. C. & Chang, C.-I. (2001): Fully constrained least squares linear spectral mixture analysis "
    "method for material quantification in hyperspectral imagery. IEEE TGRS 39(3), 529-545. doi:10.1109/36.911111",
    "nnls": "Lawson, C. L. & Hanson, R. J. (1974): Solving Least Squares Problems. Prentice-Hall. "
    "doi:10.1137/1.9781611971217",
    "ucls": "Keshava, N. & Mustard, J. F. (2002): Spectral unmixing. IEEE Signal Processing Magazine 19(1), 44-57. "
    "doi:10.1109/79.974727",
    "scaled": "Drumetz, L. et al. (2016): Blind hyperspectral unmixing using an extended linear mixing model to "
    "address spectral variability. IEEE TIP 25(8), 3890-3905. doi:10.1109/TIP.2016.2579259",
    "sunsal": "Bioucas-Dias, J. M. & Figueiredo, M. A. T. (2010): Alternating direction algorithms for constrained "
    "sparse regression: application to hyperspectral unmixing. WHISPERS. doi:10.1109/WHISPERS.2010.5594963",
    "hysime": "Bioucas-Dias, J. M. & Nascimento, J. M. P. (2008): Hyperspectral subspace identification. "
    "IEEE TGRS 46(8), 2435-2445. doi:10.1109/TGRS.2008.918089",
    "nwhfc": "Chang, C.-I. & Du, Q. (2004): Estimation of number of spectrally distinct signal sources in "
    "hyperspectral imagery. IEEE TGRS 42(3), 608-619. doi:10.1109/TGRS.2003.819189",
}
