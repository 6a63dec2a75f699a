# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a simulation: what was made of the scene, and how."""

from __future__ import annotations

from ..bands import BandTable
from ..engine.record import RunRecord
from ..engine.summary import stretched
from ..grid import Grid
from ..report import about_run, png, svg
from ..report.page import Figure, Section, Table
from ..sensors.psf import fwhm_of_sigma, mtf_of_sigma
from ..sensors.srf import Srf
from .settings import SimulationSettings

CITATION = (
    "Wald, L., Ranchin, T. & Mangolini, M. (1997): Fusion of satellite images of different spatial resolutions: "
    "assessing the quality of resulting images. PE&RS 63(6), 691-699."
)


def sections(
    settings: SimulationSettings, run: RunRecord, grid: Grid, srf: Srf | None, table: BandTable
) -> list[Section]:
    """Everything the report shows, warnings first.

    Args:
        settings: what was asked.
        run: what the engine measured.
        grid: of the coarse image.
        srf: of the simulated multispectral instrument, or None.
        table: the used bands of the scene.
    """
    parts = [*about_run.warning_sections(run, []), _key_figures(settings, run, grid, srf), _pictures(run)]
    if srf is not None:
        parts.append(_response(srf, table))
    parts += [about_run.input_section(run), about_run.settings_section(run, _settings(settings, srf))]
    parts.append(Section("How to cite the protocol", [CITATION]))
    return parts


def _key_figures(settings: SimulationSettings, run: RunRecord, grid: Grid, srf: Srf | None) -> Section:
    rows = [("Ratio", f"{settings.ratio:g}", "pixels of the scene per coarse pixel, along each side")]
    if "coarse" in run.summaries:
        rows.append(("Coarse image", f"{grid.width} × {grid.height}", f"pixels of {about_run.pixel_size(grid)}"))
    if srf is not None:
        rows.append(("Multispectral image", f"{len(srf.names)}", f"bands: {srf.source}"))
    rows.append(("Time", about_run.duration(about_run.total_seconds(run)), about_run.short_device(run)))
    return Section("Key figures", tables=[Table((), tuple(rows))], kind="key")


def _pictures(run: RunRecord) -> Section:
    titles = {"coarse": "Simulated coarse image", "msi": "Simulated multispectral image"}
    figures = [
        Figure(titles[role], png=png.encode(stretched(summary.quicklook)), width="half")
        for role, summary in run.summaries.items()
    ]
    return Section("What was made", ["True colours, each picture stretched by itself."], figures=figures)


def _response(srf: Srf, table: BandTable) -> Section:
    known = table.wavelength_nm is not None
    place = list(table.wavelength_nm or range(1, len(table) + 1))
    order = sorted(range(len(place)), key=place.__getitem__)
    x = [float(place[i]) for i in order]
    lines = [svg.Line(name, x, [float(row[i]) for i in order]) for name, row in zip(srf.names, srf.matrix)]
    plot = svg.line_plot(lines, "Wavelength (nm)" if known else "Band number", "Share of each band")
    words = "Each multispectral band is a weighted mean of the scene's bands; these are the weights."
    return Section("Spectral response", [words], figures=[Figure(srf.source, svg=plot, width="whole")])


def _settings(settings: SimulationSettings, srf: Srf | None) -> tuple[tuple[str, str], ...]:
    if settings.sigma > 0:
        blur = (
            f"Gaussian, sigma {settings.sigma:.3g} pixels of the scene (full width at half maximum "
            f"{fwhm_of_sigma(settings.sigma):.3g}), contrast at the coarse Nyquist frequency "
            f"{mtf_of_sigma(settings.sigma, settings.ratio):.2f}; then the average over the coarse pixel"
        )
    else:
        blur = "none beyond the average over the coarse pixel"
    return (
        ("Blur", blur),
        ("Noise of the coarse image", _noise(settings.hsi_snr_db)),
        ("Noise of the multispectral image", "no such image" if srf is None else _noise(settings.msi_snr_db)),
    )


def _noise(snr_db: float | None) -> str:
    return "none" if snr_db is None else f"white, signal-to-noise ratio {snr_db:g} dB in every band"
