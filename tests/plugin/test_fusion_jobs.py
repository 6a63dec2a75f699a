# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person chooses in a dialog arrives in the engine's job, and the engine's figures come back."""

from __future__ import annotations

import json

import processing
import pytest
from pairs import response_text

FUSIONS = ("fuse", "spectralift", "spectramorph")
FIGURES = {"psnr_consistency_hsi": 45.0, "ratio": 4.0, "psnr": 33.0, "sam": 2.5, "valid_share": 1.0}


@pytest.fixture
def jobs(provider, monkeypatch):
    """Every job that would have gone to the engine, as it arrives there."""
    from hyperres.algorithms import base
    from hyperres.core.engine.job import Job, Result

    seen = []

    def note(job, *_):
        seen.append(Job.from_json(job.to_json()))
        return Result(job.outputs, FIGURES)

    monkeypatch.setattr(base, "run_job", note)
    return seen


@pytest.mark.parametrize("name", FUSIONS)
def test_the_least_that_can_be_given(jobs, pair, tmp_path, name):
    made = processing.run(f"hyperres:{name}", {"HSI": pair.hsi, "MSI": pair.msi, "OUTPUT": str(tmp_path / "out.tif")})
    (job,) = jobs
    assert job.method == name
    assert job.inputs == {"hsi": pair.hsi, "msi": pair.msi}
    assert job.outputs == {"fused": str(tmp_path / "out.tif")}
    assert (job.settings["sensor"], job.settings["psf"], job.settings["mode"]) == ("estimate", "auto", "refined")
    assert job.settings["output_bands"] is None
    assert (made["PSNR_HSI"], made["RATIO"]) == (45.0, 4.0)
    assert "PSNR_MSI" not in made, "a figure that the engine does not have is not made up"


def test_everything_that_can_be_given(jobs, pair, tmp_path):
    table, model = tmp_path / "response.csv", tmp_path / "model.safetensors"
    table.write_text(response_text(), encoding="utf-8")
    model.write_bytes(b"model")
    rasters = {name: str(tmp_path / f"{name}.tif") for name in ("OUTPUT", "OUTPUT_UNCERTAINTY", "OUTPUT_LATENT")}
    files = {
        "OUTPUT_ENDMEMBERS": str(tmp_path / "endmembers.csv"),
        "OUTPUT_SRF": str(tmp_path / "srf.csv"),
        "OUTPUT_MODEL": str(tmp_path / "new.safetensors"),
        "REPORT": str(tmp_path / "report.html"),
        "RESULT": str(tmp_path / "result.json"),
    }
    choices = {
        "SRF": str(table),
        "MODE": "paper",
        "COUNT": 7,
        "MODEL": str(model),
        "OUTPUT_BANDS": [3, 1],
        "RADIOMETRY": "none",
        "REGISTRATION": "correct",
        "PSF_SIGMA": 1.5,
        "FORCE": True,
        "HSI_SCALE": 0.0001,
        "MSI_SCALE": 0.001,
        "DEVICE": "cpu",
        "SEED": 3,
    }
    processing.run("hyperres:spectramorph", {"HSI": pair.hsi, "MSI": pair.msi, **choices, **rasters, **files})
    (job,) = jobs
    assert job.inputs == {"hsi": pair.hsi, "msi": pair.msi, "model": str(model)}
    assert job.tables == {"srf": str(table)}
    assert set(job.outputs) == {
        *("fused", "uncertainty", "latent", "endmembers", "srf", "model", "report", "result"),
    }
    assert job.settings == {
        "mode": "paper",
        "sensor": "estimate",
        "radiometry": "none",
        "registration": "correct",
        "psf": 1.5,
        "output_bands": [2, 0],
        "force": True,
        "count": 7,
        "hsi_scale": 0.0001,
        "msi_scale": 0.001,
    }
    assert (job.device, job.seed) == ("cpu", 3)


def test_the_engine_reads_the_settings(jobs, pair, tmp_path):
    from hyperres.core.fusion.settings import FusionSettings

    values = {"HSI": pair.hsi, "MSI": pair.msi, "PSF": "none", "SENSOR": "sentinel-2a"}
    processing.run("hyperres:spectralift", {**values, "OUTPUT": str(tmp_path / "out.tif")})
    settings = FusionSettings.from_mapping(json.loads(jobs[0].to_json())["settings"])
    assert (settings.psf, settings.sensor, settings.output_bands) == ("none", "sentinel-2a", None)


def test_a_simulation(jobs, pair, tmp_path):
    coarse, msi = str(tmp_path / "coarse.tif"), str(tmp_path / "msi.tif")
    values = {"INPUT": pair.truth, "RATIO": 5, "MTF": 0.3, "SENSOR": "sentinel-2a", "HSI_SNR": 35}
    processing.run("hyperres:simulate", {**values, "OUTPUT_COARSE": coarse, "OUTPUT_MSI": msi})
    (job,) = jobs
    assert (job.method, job.inputs, job.tables) == ("simulate", {"image": pair.truth}, {})
    assert job.outputs == {"coarse": coarse, "msi": msi}
    assert job.settings == {
        "ratio": 5.0,
        "psf_sigma": None,
        "mtf": 0.3,
        "sensor": "sentinel-2a",
        "hsi_snr_db": 35.0,
        "msi_snr_db": None,
    }


def test_an_assessment(jobs, pair, tmp_path):
    values = {"INPUT": pair.truth, "REFERENCE": pair.truth, "HSI": pair.hsi, "MSI": pair.msi, "RATIO": 4}
    made = processing.run("hyperres:assess", {**values, "REPORT": str(tmp_path / "report.html")})
    (job,) = jobs
    assert job.inputs == {"result": pair.truth, "reference": pair.truth, "hsi": pair.hsi, "msi": pair.msi}
    assert job.settings == {"ratio": 4.0, "sensor": "estimate"}
    assert job.outputs == {"report": str(tmp_path / "report.html")}
    assert (made["PSNR"], made["SAM"]) == (33.0, 2.5)
