# SPDX-License-Identifier: GPL-3.0-or-later
"""The response of a camera from QGIS: the one that the pair was made with, land cover, and refusals in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import processing
import pytest
from helpers import write_raster
from pairs import FINE_M, NM, response
from qgis.core import QgsFeature, QgsGeometry, QgsProcessingContext, QgsVectorLayer

engine = pytest.mark.engine


def run(pair, tmp_path, **more):
    outputs = {"OUTPUT": str(tmp_path / "stf.csv"), "RESULT": str(tmp_path / "result.json")}
    return processing.run("hyperres:estimatestf", {"HSI": pair.hsi, "MSI": pair.msi, **outputs, **more})


def table(path):
    text = Path(path).read_text(encoding="utf-8").splitlines()
    return text[0].split(","), np.array([[float(cell) for cell in line.split(",")] for line in text[1:]])


def problems(provider, pair, **values):
    algorithm = provider.algorithm("estimatestf").create()
    return algorithm.problems({"HSI": pair.hsi, "MSI": pair.msi, **values}, QgsProcessingContext())


@engine
def test_the_response_of_the_pair_is_found_within_its_bands(provider, pair, tmp_path):
    ends = str(tmp_path / "bands.csv")
    made = run(pair, tmp_path, OUTPUT_BANDS=ends, REPORT=str(tmp_path / "report.html"))
    names, numbers = table(made["OUTPUT"])
    assert names[0] == "wavelength_nm" and numbers.shape == (len(NM), 5)
    np.testing.assert_allclose(numbers[:, 0], NM)
    weights = numbers[:, 1:].T
    centres = weights @ NM / weights.sum(axis=1)
    np.testing.assert_allclose(centres, response() @ NM, atol=35)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=0.1)
    headings, all_numbers = table(ends)
    assert headings[2].endswith(" low") and headings[3].endswith(" high")
    assert np.all(all_numbers[:, 2::3] <= all_numbers[:, 3::3])
    assert made["EFFECTIVE_RANK"] < 4.5  # four materials vary in three ways about their mean, and noise
    assert made["FIT_ERROR"] < 0.1
    assert "effective rank" in (tmp_path / "report.html").read_text(encoding="utf-8")


@engine
def test_the_table_is_read_as_spectral_response(provider, pair, tmp_path):
    made = run(pair, tmp_path)
    fused = str(tmp_path / "fused.tif")
    figures = processing.run(
        "hyperres:fuse", {"HSI": pair.hsi, "MSI": pair.msi, "SRF": made["OUTPUT"], "OUTPUT": fused}
    )
    assert figures["PSNR_MSI"] > 35


@engine
def test_small_classes_are_left_out_in_words(provider, pair, tmp_path):
    land = np.zeros((1, 24, 24), dtype="int16")
    land[0, :, 12:] = 2
    raster = write_raster(tmp_path / "land.tif", land, 0, None, pixel_m=FINE_M * 4, corner=(500000, 5000000))
    made = run(pair, tmp_path, CLASSES=raster)
    assert made["CLASSES"] == 0
    sentences = json.loads(Path(made["RESULT"]).read_text(encoding="utf-8"))["left_out"]
    assert len(sentences) == 1 and "'Class 2' (" in sentences[0] and "5,000" in sentences[0]


@engine
def test_polygons_name_their_classes(provider, pair, tmp_path):
    layer = QgsVectorLayer("Polygon?crs=EPSG:32633&field=cover:string", "land", "memory")
    feature = QgsFeature(layer.fields())
    feature.setAttributes(["meadow"])
    feature.setGeometry(
        QgsGeometry.fromWkt("POLYGON((500000 4999800,500300 4999800,500300 5000000,500000 5000000,500000 4999800))")
    )
    layer.dataProvider().addFeatures([feature])
    made = run(pair, tmp_path, POLYGONS=layer, POLYGONS_FIELD="cover")
    assert "'meadow'" in json.loads(Path(made["RESULT"]).read_text(encoding="utf-8"))["left_out"][0]


def test_what_cannot_work_is_said_before_the_engine_starts(provider, pair):
    assert problems(provider, pair) == []
    assert "both images" in problems(provider, pair, MSI=pair.hsi)[0]
    assert "swapped" in " ".join(problems(provider, pair, HSI=pair.msi, MSI=pair.truth))
    assert "sonar" in problems(provider, pair, SENSOR="sonar")[0]
    assert "not both" in problems(provider, pair, CLASSES=pair.hsi, POLYGONS="some.gpkg")[0]
    assert "no raster" in problems(provider, pair, CLASSES="missing.tif")[0]
    assert "which has one" in problems(provider, pair, CLASSES=pair.hsi)[0]
