# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of spectral super-resolution say what was found where, and show nothing that is not there."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hyperres.core.bands import BandTable
from hyperres.core.engine.job import Job
from hyperres.core.engine.record import InputRecord, RunRecord
from hyperres.core.grid import Grid
from hyperres.core.raster.header import RasterHeader
from hyperres.core.report.page import render
from hyperres.core.ssr.archive import Scene, from_archive
from hyperres.core.ssr.fitting import fit
from hyperres.core.ssr.model import ROLES
from hyperres.core.ssr.report import sections
from hyperres.core.ssr.settings import SsrSettings
from hyperres.core.ssr.view import look

OVERLAP = SsrSettings(preset="ridge")
ARCHIVE = SsrSettings(mode="archive", preset="ridge", sensor="p4-multispectral")


def header(path, table):
    count = len(table)
    rest = {"dtypes": ("float32",) * count, "nodata": (None,) * count, "block": (16, 16)}
    return RasterHeader(path, "GTiff", Grid(40, 40), table, scale=(1.0,) * count, offset=(0.0,) * count, **rest)


def run_of(model, method="spectralsuperresolve", inputs=("hsi", "msi"), **changes):
    """A run with a multispectral image and, unless a model was given, a hyperspectral one."""
    job = Job(method, {name: f"/data/{name}.tif" for name in inputs})
    image = header("/data/drone.tif", model.msi_table)
    other = InputRecord(header("/data/spectra.tif", model.table), tuple(range(len(model.table))), 1.0)
    run = RunRecord(job, image, tuple(range(len(model.msi_table))), 1.0, 1600, others={"hsi1": other})
    return replace(run, **changes)


def page(model, run, view=None):
    return render("Report", sections(model, run, view))


@pytest.fixture()
def overlap(ground, context):
    scene = ground(materials=6, noise=0.002)
    return fit(scene.data, OVERLAP, context), scene.part(40, 40)


@pytest.fixture()
def archive(ground, context):
    scene = ground(materials=6)
    part = scene.part(40, 60)
    data = from_archive([Scene(part.hsi, part.valid)], scene.data.hsi_table, None, ARCHIVE, context)
    return fit(data, ARCHIVE, context)


def viewed(model, part):
    return look(model.prepared(ROLES), [(part.msi, part.valid)])


def test_figures_of_an_earlier_run_are_never_taken_for_those_of_this_image(overlap):
    model, _ = overlap
    own = page(model, run_of(model))
    assert "when it was trained" not in own and "not of this image" not in own
    given = page(model, run_of(model, inputs=("model", "msi"), others={}))
    assert "when it was trained, on" in given and "not of this image" in given
    assert "Trained model" in given and "model.tif" in given


def test_figures_of_the_training_do_not_take_the_unit_of_another_image(overlap):
    """A model that learnt reflectance, applied to numbers of which nobody knows what they mean."""
    model, _ = overlap
    assert "RMSE (stored units)" in page(model, run_of(model, is_reflectance=False))
    given = page(model, run_of(model, inputs=("model", "msi"), others={}, is_reflectance=False))
    assert "RMSE (units of the training)" in given and "(stored units)" not in given


def test_the_files_that_were_learnt_from_are_named(overlap, archive):
    text = page(overlap[0], run_of(overlap[0], "trainssr"))
    assert "spectra.tif" in text and "drone.tif" in text
    library = Job("trainssr", {}, tables={"library": "/data/minerals.csv"})
    evidence = replace(archive.evidence, mode="library")
    model = archive._with(evidence=evidence)
    text = page(model, run_of(model, job=library, others={}))
    assert "minerals.csv" in text and "hyperspectral image" not in text.lower()


def test_what_was_not_found_is_not_shown_as_found(overlap, archive):
    """A training that knows the camera by its data sheet alone has nothing but that to show."""
    text = page(archive, run_of(archive, "trainssr"))
    curves = next(part for part in sections(archive, run_of(archive), None) if part.title == "Between the two sensors")
    assert all(">nominal<" in figure.svg and ">found<" not in figure.svg for figure in curves.figures)
    assert "data sheet leaves open" in text and "offset" not in "".join(curves.tables[0].header)
    assert "views of pixels" in text
    model = overlap[0]
    nominal = tuple(tuple(1.1 * value for value in row) for row in model.evidence.nominal or model.evidence.response)
    model = model._with(evidence=replace(model.evidence, nominal=nominal, gain=(2.0,) * 4))
    curves = next(part for part in sections(model, run_of(model), None) if part.title == "Between the two sensors")
    assert all(">nominal<" in figure.svg and ">found<" in figure.svg for figure in curves.figures)
    assert "95 % band" in curves.paragraphs[0] and curves.tables[0].rows[0][2] == "2.000"


def test_a_map_shows_only_what_is_worth_a_look(overlap):
    model, part = overlap
    view, run = viewed(model, part), run_of(model)

    def agreement(residual):
        shown = sections(model, run, replace(view, residual=residual))
        return next(section for section in shown if section.title == "Agreement with the image")

    nothing = agreement(np.full((40, 40), 1e-7))
    assert not nothing.figures and "this way brings them into line" in nothing.paragraphs[0]
    little = agreement(np.full((40, 40), 1e-3 * model.evidence.peak))
    much = agreement(np.full((40, 40), 0.1 * model.evidence.peak))
    assert "percentile" not in little.figures[1].caption and "percentile" in much.figures[1].caption
    assert little.figures[0].png != much.figures[0].png


def test_errors_under_examples_are_those_of_the_textbook(overlap):
    model, _ = overlap
    example = model.evidence.examples[2]
    truth, estimate = torch.tensor(example.truth), torch.tensor(example.estimate)
    rmse = float((truth - estimate).square().mean().sqrt())
    angle = float(torch.rad2deg((truth @ estimate / truth.norm() / estimate.norm()).arccos()))
    assert f"RMSE {rmse:.2g}, spectral angle {angle:.1f}°." in page(model, run_of(model))


def test_the_multispectral_image_is_shown_as_points(overlap):
    """Between its few bands nothing is known."""
    model, part = overlap
    view = viewed(model, part)
    spectra = next(section for section in sections(model, run_of(model), view) if section.title == "Spectra")
    assert all(figure.svg.count("<circle") == 4 + 1 for figure in spectra.figures)


def test_texts_from_files_are_escaped(overlap):
    model, _ = overlap
    hostile = BandTable(tuple(f"<b>{i}" for i in range(4)), (True,) * 4, model.msi_table.wavelength_nm)
    model.msi_table = hostile
    text = page(model, run_of(model))
    assert "<b>" not in text and "&lt;b&gt;0" in text
