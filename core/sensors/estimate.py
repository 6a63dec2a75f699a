# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimates an unknown spectral response from pixels that both images see.

For every MSI band y (averaged over coarse pixels) and the HSI's pixels X, smooth non-negative least squares with an
offset:

    min over r >= 0, b of  mean (y - X r - b)^2 + smoothness |D2 d|^2 + prior |w r|^2,   r = cell * d,

D2 is the second difference over wavelength of the response density d, which knows uneven spacing and does not reach
across gaps. The smoothness is chosen for each band on pixels held out, the 5 % of the pixels that fit worst are
dropped and the rest is fitted again. What is found is split into a gain and a response that sums to 1.

Many responses explain the same pixels, for bands far apart can show the same. So weights far from the wavelength of the
MSI band cost more (w). Where that is not known, the place is searched from which the band is explained best, and used
if it leaves no more error than a response anywhere would, but for chance.

The HSI is blurred by its own optics, the averaged MSI is not. Both must have been smoothed alike, by a Gaussian of one
or two coarse pixels: else contrasts of the MSI find too little contrast in the HSI, and gains come out too large.

For bands of confidence the estimate is repeated on resampled pixels. Where no spectrum shows how a response runs,
smoothness would make it straight each time. So a repetition bends there at random: D2 d is pulled not to 0 but to
b ~ N(0, (2 rms(D2 d))^2) (randomize-then-optimize, Bardsley and others 2014, doi:10.1137/140964023).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..bands import BandTable
from ..errors import BandsError, InputError
from .match import band_words
from .nonnegative import solve_nonnegative
from .response import spectral_cells
from .srf import Srf

SMOOTHNESS = tuple(float(10.0**power) for power in np.arange(-6.5, -1.9, 0.5))
LEAST_PIXELS, FEW_PIXELS = 16, 200
_DROPPED = 0.05
_RUNS = 11
"""Runs of pixels, of which every third is held out."""
_PRIOR = 0.02
"""Cost of weight at twice the distance that counts as near, for a band and an HSI of unit variance."""
_NEAR_NM, _NEAR_SHARE = 60.0, 0.06
"""How far from a band's wavelength its response may reach at no cost if its width is unknown: nm, share of it."""
_CONTRADICTION = 2.0
"""How many times larger the error near a band's wavelength may be than anywhere before the wavelength is doubted."""
_TRIED, _AS_WELL = 1e-4, 1.1
"""Smoothness in the search for a band's place, and how much more error a response in one stretch may leave at most."""
_RIDGE = 1e-9
_BENT = 2.0
"""How much more than on average a response may bend where no pixel tells; boxes bend at their edges only."""
_LARGEST_GAP = 5.0
"""Neighbours farther apart than so many usual steps need not be alike."""


@dataclass(frozen=True)
class EstimatedSrf:
    """A response found from the data, MSI = gain * SRF(HSI) + offset.

    Attributes:
        srf: the response, rows sum to 1.
        gain: of each MSI band, in its units per unit of the HSI.
        offset: of each MSI band, in its units.
        fit_error: what the fit leaves unexplained of each MSI band: root mean square residual over the band's standard
            deviation, without the pixels that were dropped; 0 is perfect, 1 is nothing explained.
        sentences: what the user should know about it.
        fits: how each MSI band was fitted, for :func:`repeat_estimate`.
    """

    srf: Srf
    gain: tuple[float, ...]
    offset: tuple[float, ...]
    fit_error: tuple[float, ...]
    sentences: tuple[str, ...] = ()
    fits: tuple[BandFit, ...] = ()


class _Sums:
    """Spectra [pixels, bands] with what all fits to most of them share: mean [bands] and scatter [bands, bands]."""

    def __init__(self, x: np.ndarray) -> None:
        self.x, self.mean = x, x.mean(0)
        centred = x - self.mean
        self.scatter = centred.T @ centred

    def normal(self, y: np.ndarray, without: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normal equations of centred data: matrix [bands, bands] and right side [bands].

        Args:
            y: [pixels].
            without: pixels to leave out, bool [pixels]; the fewer, the faster.
        """
        y = y - y.mean()
        out, level = self.x[without] - self.mean, y[without]
        count = len(y) - len(level)
        moved = -out.sum(0) / count, -level.sum() / count
        matrix = (self.scatter - out.T @ out) / count - np.outer(moved[0], moved[0])
        return matrix, (self.x.T @ y - out.T @ level) / count - moved[0] * moved[1]


@dataclass(frozen=True)
class _Pixels:
    """All spectra times the bands' cells and those not held out, D2' D2 [bands, bands], held-out pixels [pixels]."""

    all: _Sums
    fitted: _Sums
    rough: np.ndarray
    held_out: np.ndarray

    def fitted_normal(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normal equations of the pixels not held out."""
        return self.fitted.normal(y[~self.held_out], np.zeros(len(self.fitted.x), dtype=bool))

    def held_squares(self, y: np.ndarray, densities: np.ndarray) -> np.ndarray:
        """Squares of what fits [fits, bands] leave of the held-out pixels, [fits, held-out pixels]."""
        residuals = y - densities @ self.all.x.T
        level = residuals[:, ~self.held_out].mean(1, keepdims=True)
        return np.asarray((residuals[:, self.held_out] - level) ** 2)


@dataclass(frozen=True)
class BandFit:
    """How one band of unit variance was fitted.

    Attributes:
        density: of the response, [bands].
        offset, error: in units of the band's spread.
        smoothness: as chosen.
        prior: cost of the weights as far as the band's place is known, [bands].
    """

    density: np.ndarray
    offset: float
    error: float
    smoothness: float
    prior: np.ndarray


def estimate_srf(
    hsi_pixels: np.ndarray,
    msi_pixels: np.ndarray,
    hsi_table: BandTable,
    msi_table: BandTable,
    seed: int = 0,
    force: bool = False,
) -> EstimatedSrf:
    """Estimate the response of every MSI band.

    Args:
        hsi_pixels: coarse pixels, row by row, [pixels, hsi_bands].
        msi_pixels: the MSI averaged over the same coarse pixels, in any radiometric scale, [pixels, msi_bands].
        hsi_table: the HSI's bands.
        msi_table: the MSI's bands; their wavelengths help where known.
        seed: which runs of pixels are held out.
        force: take an even response, and say so, for a band of which the HSI explains nothing.

    Raises:
        InputError: there are too few pixels.
        BandsError: a band is constant, or the HSI explains nothing of it and ``force`` is not set.
    """
    count = len(hsi_pixels)
    if count < LEAST_PIXELS:
        raise InputError(
            f"Only {count} pixels are valid in both images, too few to estimate the spectral response: choose the "
            "sensor or give a table of its response."
        )
    # in units of the typical value, so that the smoothness means the same for all images
    unit = float(np.sqrt(np.mean(np.square(hsi_pixels, dtype=np.float64)))) or 1.0
    cells, rows = _spectral_axis(hsi_table)
    x = np.asarray(hsi_pixels, dtype=np.float64) / unit * cells
    # neighbours are alike, so that single held-out pixels would tell nothing new
    held_out = (np.arange(count) * _RUNS // count + seed) % 3 == 1
    pixels = _Pixels(_Sums(x), _Sums(x[~held_out]), rows.T @ rows, held_out)
    found, gains, offsets = [], [], []
    sentences: list[str] = []
    if count < FEW_PIXELS:
        sentences.append(
            f"Only {count} pixels are valid in both images, so the estimated spectral response is rough: choose the "
            "sensor, or give a table of its response, if you know it."
        )
    for band in range(msi_pixels.shape[1]):
        y = np.asarray(msi_pixels[:, band], dtype=np.float64)
        spread = float(y.std())
        if not spread > 0:
            raise BandsError(
                f"{band_words(msi_table, band)} of the multispectral image has the same value everywhere: leave it out."
            )
        prior = _prior_weights(hsi_table, msi_table, band)
        if prior is None:
            fit = _fit_compact(pixels, y / spread, hsi_table, cells)
        else:
            fit, sentence = _fit_near(pixels, y / spread, prior * cells, band_words(msi_table, band))
            sentences += sentence
        weights = fit.density * cells * spread / unit
        gains.append(float(weights.sum()))
        if not gains[-1] > 0:
            sentences.append(_unexplained(band_words(msi_table, band), force))
            weights = cells if prior is None else cells * (prior == prior.min())
        found.append((weights / weights.sum(), fit))
        offsets.append(fit.offset * spread)
    matrix = np.array([weights for weights, _ in found], dtype=np.float32)
    return EstimatedSrf(
        Srf(matrix, msi_table.names, "estimated from the two images"),
        tuple(gains),
        tuple(offsets),
        tuple(fit.error for _, fit in found),
        tuple(sentences),
        tuple(fit for _, fit in found),
    )


def repeat_estimate(
    estimate: EstimatedSrf,
    hsi_pixels: np.ndarray,
    msi_pixels: np.ndarray,
    hsi_table: BandTable,
    generator: np.random.Generator,
) -> np.ndarray:
    """Estimate gain * response again on resampled pixels, as smooth as before, bent at random where they do not tell.

    Args:
        estimate: from all pixels.
        hsi_pixels: resampled coarse pixels, [pixels, hsi_bands].
        msi_pixels: the MSI at the same, [pixels, msi_bands].
        hsi_table: the HSI's bands.
        generator: of the bends.

    Returns:
        float64 [msi_bands, hsi_bands].
    """
    unit = float(np.sqrt(np.mean(np.square(hsi_pixels, dtype=np.float64)))) or 1.0
    cells, rows = _spectral_axis(hsi_table)
    sums, rough = _Sums(np.asarray(hsi_pixels, dtype=np.float64) / unit * cells), rows.T @ rows
    found = []
    for fit, band in zip(estimate.fits, np.asarray(msi_pixels, dtype=np.float64).T):
        spread = float(band.std()) or 1.0
        bend = _BENT * np.sqrt(np.mean(np.square(rows @ fit.density))) * generator.standard_normal(len(rows))
        again = _fit_well(sums, band / spread, rough, fit.prior, fit.smoothness, rows.T @ bend, fit.density)
        found.append(again.density * cells * spread / unit)
    return np.array(found)


def _unexplained(words: str, force: bool) -> str:
    """Refuse a band of which the HSI explains nothing, or say what is taken instead.

    Raises:
        BandsError: it is not forced.
    """
    what = f"{words} of the multispectral image cannot be explained by the hyperspectral image"
    if not force:
        raise BandsError(
            f"{what}: leave the band out, check that both images show the same ground, or force the fusion if you know "
            "that they do."
        )
    return f"{what}, so an even spectral response is taken for it because the fusion is forced: do not rely on it."


def _fit_near(pixels: _Pixels, y: np.ndarray, prior: np.ndarray, words: str) -> tuple[BandFit, list[str]]:
    """Fit one band near its wavelength, or anywhere when the wavelength contradicts the pixels."""
    anywhere = _fit_band(pixels, y, np.zeros_like(prior))
    near = _fit_band(pixels, y, prior)
    if near.error <= _CONTRADICTION * anywhere.error + 0.02:
        return near, []
    return anywhere, [
        f"{words} of the multispectral image does not show what the hyperspectral image shows at that wavelength, so "
        "the wavelength is not used in estimating the response."
    ]


def _fit_compact(pixels: _Pixels, y: np.ndarray, hsi_table: BandTable, cells: np.ndarray) -> BandFit:
    """Fit one band of unknown wavelength: in one stretch of the spectrum if that explains it as well, else anywhere."""
    anywhere = _fit_band(pixels, y, np.zeros_like(cells))
    if hsi_table.wavelength_nm is None:
        return anywhere
    nm = np.asarray(hsi_table.wavelength_nm)
    normal = pixels.fitted_normal(y)
    best, least = None, np.inf
    for centre in np.arange(nm.min(), nm.max() + _NEAR_NM, _NEAR_NM):
        prior = _distance_cost(nm, centre, _near(centre)) * cells
        density = _solve(normal, pixels.rough, prior, _TRIED)
        error = float(pixels.held_squares(y, density[None]).mean())
        if error < least:
            best, least = prior, error
    if best is None:
        return anywhere
    compact = _fit_band(pixels, y, best)
    if compact.error > _as_well(y - pixels.all.x @ anywhere.density) * anywhere.error:
        return anywhere
    # the place is assumed and not known, so that bands of confidence must not rest on it
    return replace(compact, prior=anywhere.prior)


def _as_well(residual: np.ndarray) -> float:
    """How many times larger an error may be by chance: three standard errors of it, neighbours being alike."""
    centred = residual - residual.mean()
    alike = float(np.clip((centred[1:] @ centred[:-1]) / max(centred @ centred, 1e-300), 0.0, 0.99))
    independent = len(residual) * (1 - alike) / (1 + alike)
    return float(min(1 + 3 / np.sqrt(2 * independent), _AS_WELL))


def _fit_band(pixels: _Pixels, y: np.ndarray, prior: np.ndarray) -> BandFit:
    """Choose the smoothness on the held-out pixels, then fit all pixels, then those that fit well."""
    normal = pixels.fitted_normal(y)
    densities = np.array([_solve(normal, pixels.rough, prior, smoothness) for smoothness in SMOOTHNESS])
    best = _smoothest_good(pixels.held_squares(y, densities))
    straight = np.zeros_like(prior)
    return _fit_well(pixels.all, y, pixels.rough, prior, SMOOTHNESS[best], straight, densities[best])


def _fit_well(
    sums: _Sums,
    y: np.ndarray,
    rough: np.ndarray,
    prior: np.ndarray,
    smoothness: float,
    bend: np.ndarray,
    density: np.ndarray,
) -> BandFit:
    """Fit all pixels, then those that fit well; ``bend`` is D2' b, ``density`` [bands] one that is like the answer."""
    dropped = np.zeros(len(y), dtype=bool)
    for _ in range(2):
        matrix, side = sums.normal(y, dropped)
        density = _solve((matrix, side + smoothness * bend), rough, prior, smoothness, density)
        residual = y - sums.x @ density
        offset = float(residual[~dropped].mean())
        size = np.abs(residual - offset)
        dropped = size > np.quantile(size, 1 - _DROPPED)
    return BandFit(density, offset, float(np.sqrt(np.mean(size[~dropped] ** 2))), smoothness, prior)


def _smoothest_good(squares: np.ndarray) -> int:
    """The smoothest of the fits that predict the held-out pixels as well as the best, to half a standard error.

    Args:
        squares: squared residuals, [fits, pixels], rougher fits first.
    """
    kept = squares[:, np.argsort(squares.mean(0))[: max(2, int(squares.shape[1] * (1 - _DROPPED)))]]
    worse = kept - kept[np.argmin(kept.mean(1))]
    error = worse.std(1) / np.sqrt(worse.shape[1])
    return int(np.flatnonzero(worse.mean(1) <= 0.5 * error)[-1])


def _solve(
    normal: tuple[np.ndarray, np.ndarray],
    rough: np.ndarray,
    prior: np.ndarray,
    smoothness: float,
    guess: np.ndarray | None = None,
) -> np.ndarray:
    """Density of the response, [bands]; ``guess`` is one that is like it."""
    matrix = normal[0] + smoothness * rough + np.diag(_PRIOR * prior**2 + _RIDGE)
    return solve_nonnegative(matrix, normal[1], guess)


def _spectral_axis(table: BandTable) -> tuple[np.ndarray, np.ndarray]:
    """Relative cell sizes [bands] and second differences over wavelength [rows, bands]."""
    count = len(table)
    nm = np.arange(count, dtype=np.float64) if table.wavelength_nm is None else np.asarray(table.wavelength_nm)
    order = np.argsort(nm, kind="stable")
    steps = np.diff(nm[order])
    usual = float(np.median(steps[steps > 0])) if np.any(steps > 0) else 1.0
    rows = []
    for i in range(1, count - 1):
        before, after = np.maximum(steps[i - 1 : i + 1] / usual, 0.1)
        if max(before, after) <= _LARGEST_GAP:
            row = np.zeros(count)
            slopes = np.array([1 / before, -1 / before - 1 / after, 1 / after])
            row[order[i - 1 : i + 2]] = slopes * 2 / (before + after)
            rows.append(row)
    if table.wavelength_nm is None:
        return np.ones(count), np.array(rows).reshape(-1, count)
    ends = spectral_cells(table.wavelength_nm)
    cells = ends[:, 1] - ends[:, 0]
    return np.maximum(cells / np.median(cells), 1e-3), np.array(rows).reshape(-1, count)


def _prior_weights(hsi_table: BandTable, msi_table: BandTable, band: int) -> np.ndarray | None:
    """How much weight far from the band's known wavelength costs, [hsi_bands]; None when it is not known.

    A single band is taken for a panchromatic one, whose wavelength says little.
    """
    if hsi_table.wavelength_nm is None or msi_table.wavelength_nm is None or len(msi_table) == 1:
        return None
    centre = msi_table.wavelength_nm[band]
    near = _near(centre) if msi_table.fwhm_nm is None else max(msi_table.fwhm_nm[band], 15.0)
    return _distance_cost(np.asarray(hsi_table.wavelength_nm), centre, near)


def _near(centre_nm: float) -> float:
    return max(_NEAR_NM, _NEAR_SHARE * centre_nm)


def _distance_cost(nm: np.ndarray, centre_nm: float, near_nm: float) -> np.ndarray:
    """0 near a wavelength, 1 at twice the distance that counts as near, at most 5."""
    return np.clip(np.abs(nm - centre_nm) / near_nm - 1.0, 0.0, 5.0)
