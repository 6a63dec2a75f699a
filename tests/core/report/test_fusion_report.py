# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of fusion, assessment and simulation: names from files stay text, and nothing is loaded from elsewhere."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import rasterio
from jobs import Quiet

from hyperres.core.engine.job import Job
from hyperres.core.engine.run import run

SIZE, RATIO, BANDS, NODATA = 64, 4, 20, -9999.0
NM = np.linspace(450, 900, BANDS)
MSI_NM = (490.0, 560.0, 665.0, 840.0)
NASTY = "<img src=x onerror=alert(1)>&\"'"
"""What a file may call its bands."""
STEM = "<b>field & co"


class Page(HTMLParser):
    """Tags with their attributes, and the text between them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def _write(path, cube, pixel, nm):
    profile = {"driver": "GTiff", "dtype": "float32", "nodata": NODATA, "crs": "EPSG:32633"}
    shape = {"count": len(cube), "height": cube.shape[1], "width": cube.shape[2]}
    place = rasterio.Affine(pixel, 0, 5e5, 0, -pixel, 5e6)
    with rasterio.open(path, "w", transform=place, **shape, **profile) as file:
        file.write(cube.astype("float32"))
        for band, wavelength in enumerate(nm, 1):
            file.set_band_description(band, f"{NASTY} {band}")
            file.update_tags(band, wavelength=f"{wavelength:.2f}", wavelength_units="Nanometers")
    return str(path)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The three reports of one scene whose files and bands have such names."""
    folder = tmp_path_factory.mktemp("reports")
    random = np.random.default_rng(0)
    shares = np.kron(random.dirichlet(np.full(4, 0.5), (16, 16)).transpose(2, 0, 1), np.ones((1, 4, 4)))
    shares = np.roll(shares, (2, 1), axis=(1, 2))
    axis = np.linspace(0, 1, BANDS)
    spectra = np.stack([0.3 + 0.2 * np.sin((2 + 1.3 * k) * axis + 1.1 * k) for k in range(4)])
    truth = np.einsum("kb,kij->bij", spectra, shares) + 0.002 * random.standard_normal((BANDS, SIZE, SIZE))
    small = truth.reshape(BANDS, SIZE // RATIO, RATIO, SIZE // RATIO, RATIO).mean(axis=(2, 4))
    rows = np.exp(-0.5 * ((NM[None] - np.array(MSI_NM)[:, None]) / 40) ** 2)
    seen = np.einsum("cb,bij->cij", rows / rows.sum(axis=1, keepdims=True), truth)
    paths = {
        "image": _write(folder / f"{STEM} scene.tif", truth, 1.0, NM),
        "hsi": _write(folder / f"{STEM} hsi.tif", small, 4.0, NM),
        "msi": _write(folder / f"{STEM} msi.tif", seen, 1.0, MSI_NM),
    }
    fused, made = str(folder / f"{STEM} fused.tif"), {}

    def go(method, inputs, outputs, **settings):
        outputs = {**outputs, "report": str(folder / f"{STEM} {method}.html")}
        run(Job(method, inputs, outputs, settings=settings, device="cpu"), Quiet(), lambda: False)
        with open(outputs["report"], encoding="utf-8") as file:
            made[method] = file.read()

    pair = {role: paths[role] for role in ("hsi", "msi")}
    go("fuse", pair, {"fused": fused, "uncertainty": str(folder / "uncertainty.tif")})
    go("assess", {**pair, "result": fused, "reference": paths["image"]}, {})
    go("simulate", {"image": paths["image"]}, {"coarse": str(folder / "coarse.tif")}, ratio=4)
    return made


METHODS = pytest.mark.parametrize("method", ["fuse", "assess", "simulate"])


@METHODS
def test_names_from_files_stay_text(pages, method):
    page = Page(pages[method])
    assert not [tag for tag, _ in page.tags if tag in ("b", "script", "iframe", "object", "link", "base")]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert STEM in page.text  # shown as it is, and only once escaped
    assert "&amp;amp;" not in pages[method] and "&amp;lt;" not in pages[method]


def test_band_names_are_shown_as_they_are(pages):
    assert f"{NASTY} 1" in Page(pages["fuse"]).text


@METHODS
def test_pictures_hold_no_markup_from_files_either(pages, method):
    pictures = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", pages[method])
    for picture in pictures:
        text = base64.b64decode(picture).decode()
        assert "<img" not in text and "<script" not in text
        Page(text)


@METHODS
def test_a_report_loads_nothing_and_runs_nothing(pages, method):
    page = Page(pages[method])
    sources = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "data")]
    assert all(value.startswith("data:image/") for value in sources)
    assert "<script" not in pages[method].lower() and "@import" not in pages[method]
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?\s*https?:|url\(\s*[\"']?https?:", pages[method])
    policies = [held for _, held in page.tags if held.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policies[0]["content"]
