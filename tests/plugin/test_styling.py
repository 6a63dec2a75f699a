# SPDX-License-Identifier: GPL-3.0-or-later
"""Outputs are named and drawn so that they can be read at once."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from helpers import read_raster, write_raster
from osgeo import gdal
from pairs import NM
from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
    QgsSingleBandPseudoColorRenderer,
)


@pytest.fixture
def shares(tmp_path):
    cube = np.linspace(0.1, 0.4, 2 * 30 * 30).reshape(2, 30, 30)
    return write_raster(tmp_path / "shares.tif", cube, kind=gdal.GDT_Float32)


def test_abundances_always_span_zero_to_one(qgis_app, shares):
    from hyperres.algorithms.styling import draw_shares

    layer = QgsRasterLayer(shares, "shares")
    draw_shares(layer)
    renderer = layer.renderer()
    assert isinstance(renderer, QgsSingleBandPseudoColorRenderer)
    assert (renderer.classificationMin(), renderer.classificationMax()) == (0.0, 1.0)
    colours = [item.color.name() for item in renderer.shader().rasterShaderFunction().colorRampItemList()]
    assert (colours[0], colours[-1]) == ("#440154", "#fde725"), "viridis from end to end"


def test_errors_are_drawn_up_to_a_high_percentile(qgis_app, tmp_path):
    from hyperres.algorithms.styling import draw_error

    values = np.full((1, 100, 100), 0.01)
    values[0, 0, 0] = 5.0  # one wild pixel must not swallow the scale
    layer = QgsRasterLayer(write_raster(tmp_path / "rmse.tif", values, kind=gdal.GDT_Float32), "rmse")
    draw_error(layer)
    assert layer.renderer().classificationMin() == 0
    assert layer.renderer().classificationMax() == pytest.approx(0.01)


def test_true_colours_are_chosen_by_wavelength_and_stretched_alike(qgis_app, pair):
    from hyperres.algorithms.styling import draw_true_colours

    fine, coarse = QgsRasterLayer(pair.msi, "msi"), QgsRasterLayer(pair.hsi, "hsi")
    for layer in (fine, coarse):
        draw_true_colours(layer)
    renderer = coarse.renderer()
    shown = [NM[band - 1] for band in (renderer.redBand(), renderer.greenBand(), renderer.blueBand())]
    assert np.abs(np.subtract(shown, (650, 550, 470))).max() < 30
    assert (fine.renderer().redBand(), fine.renderer().greenBand(), fine.renderer().blueBand()) == (3, 2, 1)
    stretch = fine.renderer().redContrastEnhancement()
    low, high = np.percentile(read_raster(pair.msi)[2], (2, 98))
    assert stretch.minimumValue() == pytest.approx(low, rel=0.02)
    assert stretch.maximumValue() == pytest.approx(high, rel=0.02)


def test_a_panchromatic_image_stays_grey(qgis_app, tmp_path):
    from hyperres.algorithms.styling import draw_true_colours

    layer = QgsRasterLayer(write_raster(tmp_path / "pan.tif", np.full((1, 8, 8), 5)), "pan")
    draw_true_colours(layer)
    assert layer.renderer().type() == "singlebandgray"


def test_amounts_are_drawn_between_percentiles(qgis_app, tmp_path):
    from hyperres.algorithms.styling import draw_spread

    values = np.linspace(-0.5, 1.5, 10000).reshape(1, 100, 100)
    layer = QgsRasterLayer(write_raster(tmp_path / "latent.tif", values, kind=gdal.GDT_Float32), "latent")
    draw_spread(layer)
    assert layer.renderer().classificationMin() == pytest.approx(-0.46, abs=0.01)
    assert layer.renderer().classificationMax() == pytest.approx(1.46, abs=0.01)


def test_styles_survive_until_the_layer_is_loaded_and_then_go(qgis_app, shares):
    """The context keeps no Python object: without care the style would be gone before it is used."""
    from hyperres.algorithms import styling

    context = QgsProcessingContext()
    project = QgsProject()
    details = QgsProcessingContext.LayerDetails("Abundances", project, "OUTPUT")
    context.addLayerToLoadOnCompletion(shares, details)
    drawn = []
    style = styling.Style("Abundances (FCLS)", lambda layer: drawn.append(layer.name()))
    styling.style_when_loaded(context, shares, "Abundances", style)
    gc.collect()
    details = context.layerToLoadOnCompletionDetails(shares)
    assert details.name == "Abundances (FCLS)"
    layer = QgsRasterLayer(shares, details.name)
    details.postProcessor().postProcessLayer(layer, context, QgsProcessingFeedback())
    assert drawn == ["Abundances (FCLS)"]
    assert not styling._Stylist._waiting


def test_a_name_given_by_the_user_is_kept(qgis_app, shares):
    from hyperres.algorithms import styling

    context = QgsProcessingContext()
    context.addLayerToLoadOnCompletion(shares, QgsProcessingContext.LayerDetails("My map", QgsProject(), "OUTPUT"))
    styling.style_when_loaded(context, shares, "Abundances", styling.Style("Abundances (FCLS)", styling.draw_shares))
    assert context.layerToLoadOnCompletionDetails(shares).name == "My map"
    styling._Stylist._waiting.clear()


def test_nothing_is_styled_that_is_not_loaded(qgis_app, shares):
    from hyperres.algorithms import styling

    styling.style_when_loaded(QgsProcessingContext(), shares, "x", styling.Style("y", styling.draw_shares))
    assert not styling._Stylist._waiting
