# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and colours of outputs that QGIS loads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from osgeo import gdal
from qgis.core import (
    QgsColorRampShader,
    QgsContrastEnhancement,
    QgsMapLayer,
    QgsMultiBandColorRenderer,
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsRasterLayer,
    QgsRasterShader,
    QgsSingleBandPseudoColorRenderer,
    QgsStyle,
)

from ..core.bands import rgb_bands
from ..core.errors import InputError
from .raster_header import read_header

SAMPLE_SIDE_PX = 256
LOW_SHARE, HIGH_SHARE = 0.02, 0.98


@dataclass(frozen=True)
class Style:
    """How an output looks.

    Attributes:
        name: the layer's name.
        draw: sets the layer's renderer.
    """

    name: str
    draw: Callable[[QgsRasterLayer], None]


class _Stylist(QgsProcessingLayerPostProcessorInterface):
    """Draws one layer once it is loaded.

    The context does not keep the Python object, so it keeps itself until it has been used.
    """

    _waiting: set[_Stylist] = set()  # noqa: RUF012 - shared on purpose

    def __init__(self, style: Style) -> None:
        super().__init__()
        self._style = style
        self._waiting.add(self)

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Style the layer (called by QGIS in the main thread)."""
        self._waiting.discard(self)
        if isinstance(layer, QgsRasterLayer) and layer.isValid():
            self._style.draw(layer)
            layer.triggerRepaint()


def style_when_loaded(context: QgsProcessingContext, path: str, default_name: str, style: Style) -> None:
    """Have QGIS name and style an output, if it is going to load it; a name that the user gave is kept."""
    if not context.willLoadLayerOnCompletion(path):
        return
    details = context.layerToLoadOnCompletionDetails(path)
    if details.name in ("", default_name):
        details.name = style.name
    details.setPostProcessor(_Stylist(style))


def draw_shares(layer: QgsRasterLayer) -> None:
    """First band from 0 to 1 in viridis, the same for every scene, so that maps can be compared."""
    _draw_ramp(layer, "Viridis", 0.0, 1.0)


def draw_error(layer: QgsRasterLayer) -> None:
    """First band from 0 to its 98th percentile in a ramp of one hue."""
    _draw_ramp(layer, "Reds", 0.0, _percentiles(layer, 1)[1] or 1.0)


def draw_uncertainty(layer: QgsRasterLayer) -> None:
    """First band from 0 to its 98th percentile in a ramp of another hue than errors."""
    _draw_ramp(layer, "Purples", 0.0, _percentiles(layer, 1)[1] or 1.0)


def draw_spread(layer: QgsRasterLayer) -> None:
    """First band between its 2nd and 98th percentile in viridis, for amounts without a natural scale."""
    low, high = _percentiles(layer, 1)
    _draw_ramp(layer, "Viridis", low, high if high > low else low + 1.0)


def draw_true_colours(layer: QgsRasterLayer) -> None:
    """Colours as the eye sees them where wavelengths are known."""
    try:
        table = read_header(layer.source()).table
    except InputError:  # fewer than three bands: QGIS's own grey will do
        return
    draw_composite(layer, rgb_bands(table))


def draw_composite(layer: QgsRasterLayer, bands: Sequence[int]) -> None:
    """Three bands (from 0) as red, green and blue, each stretched from its 2nd to its 98th percentile.

    Images of the same ground look alike under this, whatever their units and bands.
    """
    provider = layer.dataProvider()
    renderer = QgsMultiBandColorRenderer(provider, *(band + 1 for band in bands))
    setters = (
        renderer.setRedContrastEnhancement,
        renderer.setGreenContrastEnhancement,
        renderer.setBlueContrastEnhancement,
    )
    for band, apply in zip(bands, setters):
        stretch = QgsContrastEnhancement(provider.dataType(band + 1))
        low, high = _percentiles(layer, band + 1)
        stretch.setMinimumValue(low)
        stretch.setMaximumValue(high)
        stretch.setContrastEnhancementAlgorithm(
            QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum
        )
        apply(stretch)
    layer.setRenderer(renderer)


def draw_classes(layer: QgsRasterLayer) -> None:
    """Classes in the colours and with the names that the file carries; 0 is nodata and no class."""
    provider = layer.dataProvider()
    names = _class_names(layer.source())
    entries = QgsPalettedRasterRenderer.colorTableToClassData(provider.colorTable(1))
    classes = [entry for entry in entries if 0 < entry.value < len(names)]
    for entry in classes:
        entry.label = names[int(entry.value)]
    if classes:
        layer.setRenderer(QgsPalettedRasterRenderer(provider, 1, classes))


def _draw_ramp(layer: QgsRasterLayer, ramp: str, low: float, high: float) -> None:
    colours = QgsStyle.defaultStyle().colorRamp(ramp)
    function = QgsColorRampShader(low, high, colours, QgsColorRampShader.Type.Interpolated)
    function.classifyColorRamp(5, 1, layer.extent(), layer.dataProvider())
    shader = QgsRasterShader()
    shader.setRasterShaderFunction(function)
    renderer = QgsSingleBandPseudoColorRenderer(layer.dataProvider(), 1, shader)
    renderer.setClassificationMin(low)
    renderer.setClassificationMax(high)
    layer.setRenderer(renderer)


def _percentiles(layer: QgsRasterLayer, band: int) -> tuple[float, float]:
    """A low and a high percentile of a band from a coarse look; QGIS's own statistics would write a file beside it."""
    width, height = min(SAMPLE_SIDE_PX, layer.width()), min(SAMPLE_SIDE_PX, layer.height())
    block = layer.dataProvider().block(band, layer.extent(), width, height)
    count = block.width() * block.height()
    values = sorted(block.value(i) for i in range(count) if not block.isNoData(i))
    if not values:
        return 0.0, 0.0
    return tuple(values[int(share * (len(values) - 1))] for share in (LOW_SHARE, HIGH_SHARE))


def _class_names(path: str) -> list[str]:
    """Names by class number; a GeoTIFF's colour table has 256 entries whatever the number of classes."""
    dataset = gdal.Open(path)
    if dataset is None:
        return []
    band = dataset.GetRasterBand(1)
    band.GetMetadata()  # makes GDAL read the file beside a GeoTIFF, which holds the names
    return list(band.GetCategoryNames() or ())
