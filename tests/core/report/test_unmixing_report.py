# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of an unmixing says what happened, warnings first."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from hyperres.core.bands import BandTable
from hyperres.core.engine.job import Job
from hyperres.core.engine.record import OutputSummary, RunRecord
from hyperres.core.grid import Grid
from hyperres.core.raster.header import RasterHeader
from hyperres.core.report.page import render
from hyperres.core.simulation.scene import UTM_33N
from hyperres.core.spectra import Spectra
from hyperres.core.unmixing.evidence import UnmixEvidence
from hyperres.core.unmixing.references import CITATIONS, EXTRACTION_NAMES, MODEL_NAMES, NORMALIZE_NAMES
from hyperres.core.unmixing.report import sections
from hyperres.core.unmixing.settings import EXTRACTIONS, MODELS, NORMALIZATIONS

ROWS, COLS = 20, 30
WAVELENGTHS = tuple(float(nm) for nm in range(400, 2500, 50))


def summary(layers, edges):
    flat = layers.reshape(len(layers), -1)
    counts = [np.histogram(row[np.isfinite(row)], edges)[0] for row in flat]
    low, high = np.nanmin(flat, 1), np.nanmax(flat, 1)
    return OutputSummary(np.nanmean(flat, 1), low, high, edges, np.stack(counts), layers.astype(np.float32))


def make_run(endmembers=3, wavelengths=WAVELENGTHS, used=None):
    rng = np.random.default_rng(0)
    bands = len(WAVELENGTHS)
    abundances = rng.dirichlet(np.ones(endmembers), (ROWS, COLS)).transpose(2, 0, 1)
    rmse = np.abs(rng.normal(0.01, 0.002, (1, ROWS, COLS)))
    classes = abundances.argmax(axis=0)[None] + 1.0
    for layers in (abundances, rmse, classes):
        layers[:, :, :3] = np.nan
    header = RasterHeader(
        path="/data/field <1>.tif",
        driver="GTiff",
        grid=Grid(COLS, ROWS, (3.5, 0, 0, 0, -3.5, 0), UTM_33N),
        table=BandTable(tuple(map(str, range(bands))), (True,) * bands, wavelengths),
        dtypes=("int16",) * bands,
        nodata=(-9999.0,) * bands,
        scale=(1.0,) * bands,
        offset=(0.0,) * bands,
        block=(16, 16),
    )
    return RunRecord(
        job=Job("unmix", {"image": header.path}, seed=7),
        header=header,
        bands_used=used or tuple(range(bands)),
        scale=1e-4,
        valid_pixels=ROWS * (COLS - 3),
        summaries={
            "abundances": summary(abundances, np.linspace(0, 1, 11)),
            "rmse": summary(rmse, np.linspace(0, 0.05, 21)),
            "class": summary(classes, np.arange(endmembers + 2) - 0.5),
        },
        warnings=("Something was guessed.",),
        device="Device: CPU (two cores), because no GPU can be used.",
        versions={"torch": "2"},
        seconds={"Fitting": 1.0, "Abundances": 2.5},
        true_colour=np.full((ROWS, COLS, 4), 90, dtype=np.uint8),
    )


def make_evidence(run, names=("soil", "tree", "water"), **fields):
    values = tuple(tuple(0.1 + 0.01 * i for _ in run.bands_used) for i in range(len(names)))
    given = {"source": "Found by SNPA.", "count_reason": "The error stops falling.", "model": "fcls", **fields}
    return UnmixEvidence(endmembers=Spectra(tuple(names), values), **given)


def titles(parts):
    return [part.title for part in parts]


def found(run, **fields):
    curve = ((2, 0.05), (3, 0.01), (4, 0.009))
    searched = {"extraction": "snpa", "hysime": 18, "nwhfc": 29, "eigenvalues": (3.0, 1.0, 0.1, 0.01)}
    return make_evidence(run, errors_by_count=curve, **searched, **fields)


def test_warnings_come_first_and_speak_of_dark_and_twin_endmembers():
    run = make_run()
    evidence = found(run, dark=("water",), near_duplicates=(("soil", "tree", 0.6),))
    first = sections(evidence, run)[0]
    assert first.kind == "warning"
    text = " ".join(first.paragraphs)
    assert "“water”" in text and "0.6°" in text and "Something was guessed." in text


def test_a_clean_run_has_no_warning_section():
    run = replace(make_run(), warnings=())
    assert "warning" not in [part.kind for part in sections(found(run), run)]


def test_sentences_warned_of_twice_are_shown_once():
    run = make_run()
    evidence = found(run, dark=("water",))
    run = replace(run, warnings=tuple(evidence.cautions()))
    assert len(sections(evidence, run)[0].paragraphs) == 1


def test_key_figures_state_what_was_measured():
    run = make_run()
    key = next(part for part in sections(found(run), run) if part.kind == "key")
    rows = {row[0]: row[1] for row in key.tables[0].rows}
    assert rows["Endmembers"] == "3"
    assert float(rows["Mean RMSE"]) == pytest.approx(run.summaries["rmse"].mean[0], abs=1e-4)
    assert rows["Valid pixels"] == "90.0 %"
    assert rows["Time"] == "3.50 s"
    assert ("Time", "3.50 s", "CPU (two cores)") in key.tables[0].rows


def test_given_endmembers_need_no_evidence_for_their_count():
    run = make_run()
    parts = sections(make_evidence(run), run)
    assert "How many endmembers" not in titles(parts)
    cited = next(part for part in parts if part.title.startswith("How to cite")).paragraphs
    assert list(cited) == [CITATIONS["fcls"]]


def test_extraction_alone_reports_without_maps():
    run = replace(make_run(), summaries={}, true_colour=None)
    parts = titles(sections(found(run), run))
    assert "Endmember spectra" in parts and "How many endmembers" in parts
    assert "Abundances" not in parts and "Dominant material" not in parts


def test_every_endmember_gets_a_map_and_its_mean_cover():
    run = make_run()
    maps = next(part for part in sections(found(run), run) if part.title == "Abundances").figures
    captions = [figure.caption for figure in maps if figure.png]
    assert len(captions) == 3
    covers = [float(caption.split(": ")[1].split(" ")[0]) for caption in captions]
    assert sum(covers) == pytest.approx(100, abs=0.2)


def test_brightness_of_a_scaled_unmixing_is_no_endmember():
    run = make_run(endmembers=4)
    brightness = replace(run.summaries["abundances"], mean=np.array([0.2, 0.3, 0.5, 1.4]))
    run = replace(run, summaries={"abundances": brightness})
    maps = next(part for part in sections(found(run, model="scaled"), run) if part.title == "Abundances").figures
    assert maps[-1].caption.startswith("Brightness") and "mean 1.40" in maps[-1].caption


def test_numbers_of_unknown_unit_are_not_called_reflectance():
    run = replace(make_run(), is_reflectance=False)
    page = render("t", sections(found(run), run))
    assert "stored units" in page and "eflectance" not in page.split("How to cite")[0]


@pytest.mark.parametrize("wavelengths", [WAVELENGTHS, None, WAVELENGTHS[::-1]])
def test_bands_left_out_are_greyed_in_any_band_order(wavelengths):
    used = tuple(i for i in range(len(WAVELENGTHS)) if i not in (5, 6, 20))
    run = make_run(wavelengths=wavelengths, used=used)
    plot = next(part for part in sections(found(run), run) if part.title == "Endmember spectra").figures[0].svg
    assert plot.count('class="s"') == 3  # two ranges and the legend's sample
    assert ("Wavelength (nm)" in plot) == (wavelengths is not None)
    assert plot.count("<path") == 9  # each of three lines falls into three runs


def test_names_with_markup_stay_text():
    run = make_run()
    page = render("t", sections(make_evidence(run, ("<b>a</b>", "<script>", "c"), dark=("<i>x",)), run))
    for tag in ("<b>", "<script>", "<i>"):
        assert tag not in page


def test_the_input_is_described_in_its_units():
    run = make_run()
    rows = dict(next(part for part in sections(found(run), run) if part.title == "Input").tables[0].rows)
    assert rows["Pixel size"] == "3.5 m"
    assert rows["Coordinate system"] == "WGS 84 / UTM zone 33N"
    assert rows["File"] == "field <1>.tif"
    assert "400-2450 nm" in rows["Bands used"]


def test_each_choice_has_a_name_and_a_citation():
    assert set(EXTRACTION_NAMES) == set(EXTRACTIONS)
    assert set(MODEL_NAMES) == set(MODELS)
    assert set(NORMALIZE_NAMES) == set(NORMALIZATIONS)
    assert {*EXTRACTIONS, *MODELS, "hysime", "nwhfc"} <= set(CITATIONS)


def test_reports_are_written_without_torch():
    code = "import sys, hyperres.core.unmixing.report; sys.exit(any(m in sys.modules for m in ('torch', 'rasterio')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
