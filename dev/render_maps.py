# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the maps of an unmixing side by side, by QGIS itself and in the plugin's styles (QGIS's Python).

``render_maps.py OUT.png IMAGE ABUNDANCES ERROR CLASSES``
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from osgeo import gdal
from qgis.core import (
    QgsApplication,
    QgsContrastEnhancement,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsMultiBandColorRenderer,
    QgsRasterLayer,
    QgsRasterMinMaxOrigin,
)
from qgis.PyQt.QtCore import QPoint, QRect, QSize, Qt
from qgis.PyQt.QtGui import QColor, QFont, QImage, QPainter

from hyperres.algorithms.raster_header import read_header
from hyperres.algorithms.styling import draw_classes, draw_error, draw_shares

PANEL_PX = 360
TITLE_PX = 34
GAP_PX = 12
COLUMNS = 4
TRUE_COLOUR_NM = (640.0, 550.0, 470.0)
BACKGROUND = QColor("white")


@dataclass(frozen=True)
class Panel:
    """One map with its title."""

    title: str
    image: QImage


def draw_map(title: str, path: str, style: Callable[[QgsRasterLayer], None], band: int | None = None) -> Panel:
    """Render one raster, or one band of it (counted from 1), as QGIS shows it."""
    if band is not None:
        single = f"/vsimem/band_{band}.vrt"
        gdal.Translate(single, path, format="VRT", bandList=[band])
        path = single
    layer = QgsRasterLayer(path, title, "gdal")
    if not layer.isValid():
        sys.exit(f"QGIS does not open {path}.")
    style(layer)
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setExtent(layer.extent())
    settings.setOutputSize(QSize(PANEL_PX, PANEL_PX))
    settings.setBackgroundColor(BACKGROUND)
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    return Panel(title, job.renderedImage())


def draw_image(layer: QgsRasterLayer) -> None:
    """Colours as the eye sees them where wavelengths are known, else the first bands; stretched as QGIS does."""
    wavelength_nm = read_header(layer.source()).table.wavelength_nm
    bands = [1, 2, 3]
    if wavelength_nm is not None:
        distances = ([abs(centre - wanted) for centre in wavelength_nm] for wanted in TRUE_COLOUR_NM)
        bands = [distance.index(min(distance)) + 1 for distance in distances]
    layer.setRenderer(QgsMultiBandColorRenderer(layer.dataProvider(), *bands))
    layer.setContrastEnhancement(
        QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum,
        QgsRasterMinMaxOrigin.Limits.CumulativeCut,
    )


def draw_maps(image: str, abundances: str, error: str, classes: str) -> list[Panel]:
    """All maps of one run."""
    dataset = gdal.Open(abundances)
    names = [dataset.GetRasterBand(number).GetDescription() for number in range(1, dataset.RasterCount + 1)]
    panels = [draw_map("Image", image, draw_image)]
    panels += [draw_map(name, abundances, draw_shares, number) for number, name in enumerate(names, 1)]
    panels.append(draw_map("Largest share", classes, draw_classes))
    panels.append(draw_map("Error (RMSE)", error, draw_error))
    return panels


def side_by_side(panels: list[Panel]) -> QImage:
    """Put panels into rows under their titles."""
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    step_x, step_y = PANEL_PX + GAP_PX, PANEL_PX + TITLE_PX + GAP_PX
    sheet = QImage(GAP_PX + columns * step_x, rows * step_y, QImage.Format.Format_RGB32)
    sheet.fill(BACKGROUND)
    painter = QPainter(sheet)
    painter.setFont(QFont("DejaVu Sans", 12))
    for index, panel in enumerate(panels):
        left, top = GAP_PX + index % columns * step_x, index // columns * step_y
        title = painter.fontMetrics().elidedText(panel.title, Qt.TextElideMode.ElideRight, PANEL_PX)
        painter.drawText(QRect(left, top, PANEL_PX, TITLE_PX), Qt.AlignmentFlag.AlignVCenter, title)
        painter.drawImage(QPoint(left, top + TITLE_PX), panel.image)
    painter.end()
    return sheet


def main() -> None:
    """Draw the files named on the command line."""
    out, image, abundances, error, classes = sys.argv[1:]
    gdal.UseExceptions()
    gdal.SetConfigOption("GDAL_PAM_ENABLED", "NO")  # no files with statistics beside the rasters
    application = QgsApplication([], False)
    application.initQgis()
    saved = side_by_side(draw_maps(image, abundances, error, classes)).save(out)
    application.exitQgis()
    if not saved:
        sys.exit(f"{out} cannot be written.")


if __name__ == "__main__":
    main()
