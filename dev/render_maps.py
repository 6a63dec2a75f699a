# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the maps of a run side by side, by QGIS itself and in the plugin's styles (QGIS's Python).

``render_maps.py unmix OUT.png IMAGE ABUNDANCES ERROR CLASSES``
``render_maps.py fusion OUT.png COARSE FINE FUSED UNCERTAINTY [REFERENCE ERRORS]``
``render_maps.py finer OUT.png IMAGE FINER [REFERENCE]``
``render_maps.py spectral OUT.png IMAGE PART SPECTRA UNCERTAINTY [REFERENCE ERRORS]``
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

from osgeo import gdal
from qgis.core import (
    Qgis,
    QgsApplication,
    QgsColorRamp,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsPalettedRasterRenderer,
    QgsRasterBandStats,
    QgsRasterDataProvider,
    QgsRasterLayer,
    QgsRectangle,
    QgsSingleBandPseudoColorRenderer,
)
from qgis.PyQt.QtCore import QPoint, QRect, QSize, Qt
from qgis.PyQt.QtGui import QColor, QFont, QImage, QPainter

from hyperres.algorithms.raster_header import read_header
from hyperres.algorithms.styling import (
    draw_classes,
    draw_composite,
    draw_error,
    draw_shares,
    draw_true_colours,
    draw_uncertainty,
)
from hyperres.core.bands import rgb_bands

PANEL_PX = 360
TITLE_PX = 36
GAP_PX = 14
BAR_PX = QSize(80, 12)
MOST_COLUMNS = 4
INFRARED_NM = (2200.0, 1650.0, 1050.0)
BACKGROUND = QColor("white")


@dataclass(frozen=True)
class Panel:
    """One map with its title and its legend.

    Attributes:
        ramp: colours from the lowest to the highest value, or None.
        limits: these two values.
        key: colour that stands for the title in the map of classes, or None.
    """

    title: str
    image: QImage
    ramp: QgsColorRamp | None = None
    limits: tuple[float, float] = (0.0, 1.0)
    key: QColor | None = None


def open_layer(path: str, style: Callable[[QgsRasterLayer], None]) -> QgsRasterLayer:
    """Load a raster and style it."""
    layer = QgsRasterLayer(path, path, "gdal")
    if not layer.isValid():
        sys.exit(f"QGIS does not open {path}.")
    style(layer)
    return layer


def one_band(path: str, band: int) -> str:
    """A raster in memory that shows one band, counted from 1."""
    single = f"/vsimem/band_{band}.vrt"
    gdal.Translate(single, path, format="VRT", bandList=[band])
    return single


def draw_map(layer: QgsRasterLayer, extent: QgsRectangle | None = None) -> QImage:
    """Render a layer, or the part of it that is asked for, as QGIS shows it."""
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setExtent(extent or layer.extent())
    settings.setOutputSize(QSize(PANEL_PX, PANEL_PX))
    settings.setBackgroundColor(BACKGROUND)
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    return job.renderedImage()


def ramp_panel(title: str, layer: QgsRasterLayer, key: QColor | None = None) -> Panel:
    """A map of numbers."""
    renderer = layer.renderer()
    if not isinstance(renderer, QgsSingleBandPseudoColorRenderer):
        raise TypeError(f"{title} is not drawn by a colour ramp")
    ramp = renderer.shader().rasterShaderFunction().sourceColorRamp().clone()
    return Panel(title, draw_map(layer), ramp, (renderer.classificationMin(), renderer.classificationMax()), key)


def draw_infrared(layer: QgsRasterLayer) -> None:
    """Bands that few multispectral cameras have."""
    table = read_header(layer.source()).table
    nm = table.wavelength_nm or range(len(table))
    draw_composite(layer, [min(range(len(nm)), key=lambda i: abs(nm[i] - wanted)) for wanted in INFRARED_NM])


def draw_unmixing(image: str, abundances: str, error: str, classes: str) -> list[Panel]:
    """The image, its classes, its error, then the shares."""
    class_layer = open_layer(classes, draw_classes)
    renderer = class_layer.renderer()
    colours = {}
    if isinstance(renderer, QgsPalettedRasterRenderer):
        colours = {int(entry.value): entry.color for entry in renderer.classes()}
    panels = [
        Panel("Image", draw_map(open_layer(image, draw_true_colours))),
        Panel("Largest share", draw_map(class_layer)),
        ramp_panel("Error (RMSE)", open_layer(error, draw_error)),
    ]
    dataset = gdal.Open(abundances)
    for band in range(1, dataset.RasterCount + 1):
        layer = open_layer(one_band(abundances, band), draw_shares)
        panels.append(ramp_panel(dataset.GetRasterBand(band).GetDescription(), layer, colours.get(band)))
    return panels


def draw_fusion(
    coarse: str, fine: str, fused: str, uncertainty: str, reference: str = "", errors: str = ""
) -> list[Panel]:
    """Both inputs and the fused image; below them the infrared, and where it is known the truth with the errors."""

    def picture(title: str, path: str, style: Callable[[QgsRasterLayer], None] = draw_true_colours) -> Panel:
        return Panel(title, draw_map(open_layer(path, style)))

    inputs = [picture("Coarse hyperspectral", coarse), picture("Fine multispectral", fine), picture("Fused", fused)]
    infrared = [picture("Coarse, infrared", coarse, draw_infrared), picture("Fused, infrared", fused, draw_infrared)]
    if not reference:
        return [*inputs, *infrared, ramp_panel("Uncertainty", open_layer(uncertainty, draw_uncertainty))]
    error = ramp_panel("Error (RMSE)", open_layer(errors, draw_error))
    truth = picture("Truth", reference), picture("Truth, infrared", reference, draw_infrared)
    return [*inputs, truth[0], *infrared, truth[1], error]


def busiest_part(path: str) -> QgsRectangle:
    """The square with the most contrast, as long as a quarter of the image's longer side."""
    layer = QgsRasterLayer(path, path, "gdal")
    extent, step = layer.extent(), max(layer.extent().width(), layer.extent().height()) / 4.0
    best, part = -1.0, extent
    for row in range(2 * int(extent.height() / step) - 1):
        for col in range(2 * int(extent.width() / step) - 1):
            left, top = extent.xMinimum() + col * step / 2.0, extent.yMaximum() - row * step / 2.0
            square = QgsRectangle(left, top - step, left + step, top)
            contrast = contrast_within(layer, square)
            if contrast > best:
                best, part = contrast, square
    return part


def contrast_within(layer: QgsRasterLayer, square: QgsRectangle) -> float:
    """Standard deviation of the greenest band, weighed by the share of valid pixels."""
    band = rgb_bands(read_header(layer.source()).table)[1] + 1
    found = layer.dataProvider().bandStatistics(band, QgsRasterBandStats.Stats.StdDev, square, 0)
    pixels = square.area() / (layer.rasterUnitsPerPixelX() * layer.rasterUnitsPerPixelY())
    return float(found.stdDev * (found.elementCount / pixels) ** 4)


def draw_finer(image: str, finer: str, reference: str = "") -> list[Panel]:
    """A part of the image as it is, interpolated, finer, and where it is known the truth; below in the infrared."""
    part = busiest_part(image)
    rows = [("", draw_true_colours), (", infrared", draw_infrared)]
    panels = []
    for words, style in rows:
        interpolated = open_layer(image, style)
        interpolated.setResamplingStage(Qgis.RasterResamplingStage.Provider)  # of values and not of colours
        interpolated.dataProvider().enableProviderResampling(True)
        interpolated.dataProvider().setZoomedInResamplingMethod(QgsRasterDataProvider.ResamplingMethod.Cubic)
        shown = [("Input", open_layer(image, style)), ("Interpolated", interpolated)]
        shown.append(("Result", open_layer(finer, style)))
        if reference:
            shown.append(("Truth", open_layer(reference, style)))
        panels += [Panel(title + words, draw_map(layer, part)) for title, layer in shown]
    return panels


def draw_spectral(
    image: str, part: str, spectra: str, uncertainty: str, reference: str = "", errors: str = ""
) -> list[Panel]:
    """The image in the colours it has, and in the infrared what was learnt from, what was found, and the truth."""
    layer = open_layer(image, draw_true_colours)

    def infrared(title: str, path: str) -> Panel:
        return Panel(f"{title}, infrared", draw_map(open_layer(path, draw_infrared), layer.extent()))

    panels = [Panel("Multispectral", draw_map(layer)), infrared("Hyperspectral", part), infrared("Spectra", spectra)]
    if reference:
        panels.append(infrared("Truth", reference))
    panels.append(ramp_panel("Uncertainty", open_layer(uncertainty, draw_uncertainty)))
    if errors:
        panels.append(ramp_panel("Error (RMSE)", open_layer(errors, draw_error)))
    return panels


def side_by_side(panels: list[Panel]) -> QImage:
    """Put panels into rows under their titles."""
    columns = min(MOST_COLUMNS, math.ceil(math.sqrt(1.5 * len(panels))))
    rows = -(-len(panels) // columns)
    step_x, step_y = PANEL_PX + GAP_PX, PANEL_PX + TITLE_PX + GAP_PX
    sheet = QImage(GAP_PX + columns * step_x, rows * step_y, QImage.Format.Format_RGB32)
    sheet.fill(BACKGROUND)
    painter = QPainter(sheet)
    painter.setFont(QFont("DejaVu Sans", 11))
    for index, panel in enumerate(panels):
        left, top = GAP_PX + index % columns * step_x, index // columns * step_y
        draw_heading(painter, panel, QRect(left, top, PANEL_PX, TITLE_PX))
        painter.drawImage(QPoint(left, top + TITLE_PX), panel.image)
    painter.end()
    return sheet


def draw_heading(painter: QPainter, panel: Panel, place: QRect) -> None:
    """Write the title behind the colour that stands for it, and the legend at the right."""
    middle = Qt.AlignmentFlag.AlignVCenter
    if panel.ramp is not None:
        low, high = (f"{limit:.2g}" for limit in panel.limits)
        painter.drawText(place, middle | Qt.AlignmentFlag.AlignRight, high)
        place.setRight(place.right() - painter.fontMetrics().horizontalAdvance(high) - 6)
        bar = QRect(QPoint(place.right() - BAR_PX.width(), place.center().y() - BAR_PX.height() // 2), BAR_PX)
        for x in range(bar.width()):
            painter.fillRect(bar.left() + x, bar.top(), 1, bar.height(), panel.ramp.color(x / (bar.width() - 1)))
        place.setRight(bar.left() - 6)
        painter.drawText(place, middle | Qt.AlignmentFlag.AlignRight, low)
        place.setRight(place.right() - painter.fontMetrics().horizontalAdvance(low) - 6)
    if panel.key is not None:
        painter.fillRect(QRect(place.left(), place.center().y() - 6, 12, 12), panel.key)
        place.setLeft(place.left() + 20)
    title = painter.fontMetrics().elidedText(panel.title, Qt.TextElideMode.ElideRight, place.width())
    painter.drawText(place, middle, title)


DRAWINGS = {"unmix": draw_unmixing, "fusion": draw_fusion, "finer": draw_finer, "spectral": draw_spectral}


def main() -> None:
    """Draw the files named on the command line."""
    what, out, *rasters = sys.argv[1:]
    gdal.UseExceptions()
    gdal.SetConfigOption("GDAL_PAM_ENABLED", "NO")  # no files with statistics beside the rasters
    application = QgsApplication([], False)
    application.initQgis()
    panels = DRAWINGS[what](*rasters)
    saved = side_by_side(panels).save(out)
    application.exitQgis()
    if not saved:
        sys.exit(f"{out} cannot be written.")


if __name__ == "__main__":
    main()
