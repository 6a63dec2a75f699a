# SPDX-License-Identifier: GPL-3.0-or-later
"""How much single-image super-resolution recovers, beside interpolation, deconvolution and what is possible at all.

    .venv/bin/python benchmarks/sisr.py [--scenes jasper ...] [--factors 2 4] [--psfs 0.5 1.0] [--snrs none 35]
                                        [--errors 0 -20 20] [--methods fast ...] [--data DIR]

Wald's protocol: a real scene is the reference; blurred by a Gaussian of --psfs times the factor (in pixels of the
reference), decimated at the centres of the coarse pixels, with white noise of --snrs decibels, it becomes the input.
--errors are percent by which the blur told to every method is wrong. ``fast`` and ``tuned`` are whole runs of the
engine on a file. The other rows, all in the same run:

    bicubic      cubic convolution of every band
    abundances   cubic convolution of the abundances, recombined: what unmixing alone loses
    tikhonov     min |A - B Z|^2 + l |grad Z|^2 on the planes of ``fast``: its subspace, each of unit spread
    tv           the same with total variation
    oracle       the reference itself, as far as abundances of the input's endmembers can express it: the ceiling of
                 every method that super-resolves abundances and nothing else

The strength l is the one that comes closest to the reference, which flatters these two rows: no user could know it. No
other row but the oracle sees the reference. PSNR is of the
whole cube (peak 1), SAM in degrees, ``agrees`` the PSNR between the result, degraded again, and the input.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import rasterio
import torch
from hyperbench import load_scene
from scipy.io import loadmat

from hyperres.core.engine.job import Job
from hyperres.core.engine.protocol import Reporter
from hyperres.core.engine.run import run
from hyperres.core.physics.blur import Blur
from hyperres.core.sisr.model import SuperresolveModel
from hyperres.core.sisr.reconstruct import make_blur
from hyperres.core.sisr.upscaler import interpolated
from hyperres.core.unmixing.abundances import make_solver
from hyperres.core.unmixing.settings import UnmixSettings

HERE = Path(__file__).resolve().parent
SCENES = ("jasper", "pines", "hydice", "pavia", "potsdam", "muufl")
METHODS = ("bicubic", "abundances", "tikhonov", "tv", "oracle", "fast")
COLUMNS = "scene", "s", "psf", "snr", "error", "method", "PSNR", "SAM", "agrees", "seconds"
STRENGTHS = tuple(10.0**k for k in np.arange(-5.0, 0.1))
TIKHONOV_STEPS, TV_STEPS = 60, 120
Planes = torch.Tensor


@dataclass(frozen=True)
class Case:
    """A reference, what a sensor makes of it, and what is told about the sensor.

    Attributes:
        truth: float32 [bands, s h, s w], 0 to 1.
        seen: [bands, h, w].
        factor: s.
        told: sigma of the blur that methods are told, in pixels of the reference.
        true: the true one.
    """

    truth: torch.Tensor
    seen: torch.Tensor
    factor: int
    told: float
    true: float


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", nargs="+", default=list(SCENES), choices=SCENES)
    parser.add_argument("--factors", nargs="+", type=int, default=[2, 4])
    parser.add_argument("--psfs", nargs="+", type=float, default=[0.5, 1.0], help="sigma over the factor")
    parser.add_argument("--snrs", nargs="+", default=["none", "35"], help="decibels, or none")
    parser.add_argument("--errors", nargs="+", type=float, default=[0.0], help="percent")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=[*METHODS, "tuned"])
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)
    print("{:<9}{:>2}{:>5}{:>6}{:>6}  {:<11}{:>7}{:>7}{:>8}{:>8}".format(*COLUMNS))
    gains: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for scene, factor, psf, snr, error in _settings(options):
        case = make_case(load(scene, options.data), factor, psf, None if snr == "none" else float(snr), error)
        scores = {}
        for method in options.methods:
            started = time.perf_counter()
            result = solve(case, method)
            spent = time.perf_counter() - started
            scores[method] = psnr, sam = psnr_of(result, case.truth), angle(result, case.truth)
            blur = make_blur(factor, case.told, case.seen.shape[1:], torch.device("cpu"))
            agrees = psnr_of(_inner(blur(result), factor), _inner(case.seen, factor))
            head = f"{scene:<9}{factor:>2}{psf:>5.2g}{snr:>6}{error:>6.0f}"
            print(f"{head}  {method:<11}{psnr:>7.2f}{sam:>7.2f}{agrees:>8.1f}{spent:>8.1f}", flush=True)
        for method, score in scores.items():
            if "bicubic" in scores:
                base = scores["bicubic"]
                gains.setdefault((factor, method), []).append((score[0] - base[0], base[1] - score[1]))
    for (factor, method), values in sorted(gains.items()):
        psnr, sam = np.array(values).T
        print(
            f"x{factor} {method:<11} over bicubic: {psnr.mean():+.2f} dB (least {psnr.min():+.2f}), "
            f"SAM {-sam.mean():+.2f} (worst {-sam.min():+.2f}) over {len(values)} cases"
        )


def _settings(options: argparse.Namespace) -> Iterator[tuple[str, int, float, str, float]]:
    for scene in options.scenes:
        for factor in options.factors:
            for psf in options.psfs:
                for snr in options.snrs:
                    for error in options.errors:
                        yield scene, factor, psf, snr, error


def load(name: str, data: Path) -> np.ndarray:
    """A reference, float32 [bands, rows, columns] from 0 to 1 (99.9th percentile), sides multiples of 16."""
    if name == "hydice":
        cube = loadmat(data / "fusion/abu/HYDICE_data.mat")["data"].transpose(2, 0, 1)
    elif name == "muufl":
        held = loadmat(data / "fusion/muufl_gatorsense/a_hsi_img_for_VI_demo.mat")
        cube = _muufl(held)
    else:
        cube = load_scene(name, data)
    cube = np.nan_to_num(cube.astype(np.float32)).clip(min=0)
    cube = cube[:, : cube.shape[1] // 16 * 16, : cube.shape[2] // 16 * 16]
    cube = cube[cube.reshape(len(cube), -1).max(axis=1) > 0]
    return (cube / np.percentile(cube, 99.9)).clip(max=1.0)


def _muufl(held: dict[str, np.ndarray]) -> np.ndarray:
    """Bands outside the windows of water vapour, by rising wavelength."""
    nm = held["wavelengths"].ravel()
    nm = nm * 1000 if nm.max() < 100 else nm
    dry = [i for i in np.argsort(nm) if not (1340 <= nm[i] <= 1460 or 1790 <= nm[i] <= 1970 or nm[i] > 2450)]
    return held["hsi_img"].transpose(2, 0, 1)[dry]


def make_case(scene: np.ndarray, factor: int, psf: float, snr: float | None, error: float) -> Case:
    """Blur, decimate, add noise."""
    truth = torch.from_numpy(np.ascontiguousarray(scene))
    sigma = psf * factor
    shape = truth.shape[1] // factor, truth.shape[2] // factor
    blur = make_blur(factor, sigma, shape, torch.device("cpu"))
    seen = blur(truth) / blur.coverage  # the sensor sees ground beyond the scene's edge, too: about as bright
    if snr is not None:
        deviation = float(seen.square().mean()) ** 0.5 * 10 ** (-snr / 20)
        seen = seen + deviation * torch.randn(seen.shape, generator=torch.Generator().manual_seed(7))
    return Case(truth, seen, factor, sigma * (1 + error / 100), sigma)


def solve(case: Case, method: str) -> torch.Tensor:
    """The result of one method, [bands, s h, s w]."""
    if method == "bicubic":
        return interpolated(case.seen, case.factor)
    if method in ("fast", "tuned"):
        return _run(case, method)[0]
    model = _model(case)
    if method == "oracle":
        return _recombined(model, _shares(model, case.truth))
    if method == "abundances":
        return _recombined(model, interpolated(_shares(model, case.seen), case.factor))
    return _deconvolved(model, case, {"tikhonov": tikhonov, "tv": total_variation}[method])


_models: dict[int, SuperresolveModel] = {}


def _model(case: Case) -> SuperresolveModel:
    """What a run of ``fast`` found in the input."""
    key = id(case)
    if key not in _models:
        _models.clear()
        _models[key] = _run(case, "fast")[1]
    return _models[key]


def _run(case: Case, mode: str) -> tuple[torch.Tensor, SuperresolveModel]:
    """A whole run of the engine on a file: the result and its model."""
    from hyperres.core.engine.model_file import load_model
    from hyperres.core.engine.registry import find_method

    with tempfile.TemporaryDirectory(prefix="hyperres-bench-") as folder, open(os.devnull, "w") as nothing:
        place = Path(folder)
        _write(place / "seen.tif", case.seen.numpy())
        outputs = {"superresolved": str(place / "fine.tif"), "model": str(place / "m.safetensors")}
        settings = {"factor": case.factor, "sigma": case.told, "mode": mode}
        job = Job(
            method="superresolve",
            inputs={"image": str(place / "seen.tif")},
            outputs=outputs,
            settings=settings,
            skip_water_vapour=False,
        )
        run(job, Reporter(nothing), lambda: False)
        with rasterio.open(outputs["superresolved"]) as file:
            result = torch.from_numpy(file.read().astype(np.float32))
        return result, load_model(Path(outputs["model"]), find_method("superresolve"))


def _write(path: Path, cube: np.ndarray) -> None:
    bands, height, width = cube.shape
    with rasterio.open(path, "w", driver="GTiff", width=width, height=height, count=bands, dtype="float32") as file:
        file.write(cube)


def _shares(model: SuperresolveModel, cube: torch.Tensor) -> torch.Tensor:
    """Abundances of a cube, not negative, [endmembers, rows, columns]."""
    endmembers = _endmembers(model)
    return make_solver(endmembers, UnmixSettings(model="nnls"))(cube.flatten(1)).reshape(-1, *cube.shape[1:])


def _recombined(model: SuperresolveModel, shares: torch.Tensor) -> torch.Tensor:
    return torch.einsum("kb,khw->bhw", _endmembers(model), shares)


def _endmembers(model: SuperresolveModel) -> torch.Tensor:
    return torch.tensor(model.tables()["endmembers"].values, dtype=torch.float32)


Way = Callable[[Planes, Blur, int, float], Planes]


def _deconvolved(model: SuperresolveModel, case: Case, way: Way) -> torch.Tensor:
    """Deconvolve with the strength that comes closest to the reference."""
    space, bands = model.space, torch.arange(len(case.seen))
    planes = space.standardised(space.project(case.seen))
    blur = make_blur(case.factor, case.told, planes.shape[1:], torch.device("cpu"))
    results = (space.expand(space.restored(way(planes, blur, case.factor, s)), bands) for s in STRENGTHS)
    return max(results, key=lambda result: psnr_of(result, case.truth))


def _gradient(planes: Planes) -> Planes:
    down, across = torch.zeros_like(planes), torch.zeros_like(planes)
    down[:, :-1] = planes[:, 1:] - planes[:, :-1]
    across[:, :, :-1] = planes[:, :, 1:] - planes[:, :, :-1]
    return torch.stack([down, across])


def _divergence(field: Planes) -> Planes:
    """Minus the adjoint of the gradient."""
    down, across = field[0, :, :-1], field[1, :, :, :-1]
    result = torch.zeros_like(field[0])
    result[:, :-1] += down
    result[:, 1:] -= down
    result[:, :, :-1] += across
    result[:, :, 1:] -= across
    return result


def tikhonov(planes: Planes, blur: Blur, factor: int, strength: float) -> Planes:
    """Conjugate gradients from cubic convolution on; footprints beyond the edge are taken for their inner part."""

    def normal(x: Planes) -> Planes:
        return blur.adjoint(blur(x) / blur.coverage**2) - strength * _divergence(_gradient(x))

    x = interpolated(planes, factor)
    residual = blur.adjoint(planes / blur.coverage) - normal(x)
    direction, energy = residual, residual.square().sum(dim=(1, 2), keepdim=True)
    for _ in range(TIKHONOV_STEPS):
        image = normal(direction)
        step = energy / (direction * image).sum(dim=(1, 2), keepdim=True).clamp_min(1e-30)
        x, residual = x + step * direction, residual - step * image
        before, energy = energy, residual.square().sum(dim=(1, 2), keepdim=True)
        direction = residual + energy / before.clamp_min(1e-30) * direction
    return x


def total_variation(planes: Planes, blur: Blur, factor: int, strength: float) -> Planes:
    """Minimise |A - B Z|^2 / 2 + l TV(Z) by the primal-dual steps of Condat (2013) and Vu (2013)."""
    x = interpolated(planes, factor)
    dual = torch.zeros(2, *x.shape)
    smoothness = 1.0  # B^T B has no eigenvalue above 1
    tau = 1.0 / (smoothness / 2 + 8 * 0.25)
    for _ in range(TV_STEPS):
        slope = blur.adjoint((blur(x) / blur.coverage - planes) / blur.coverage) - _divergence(dual)
        moved = x - tau * slope
        dual = dual + 0.25 * _gradient(2 * moved - x)
        dual = dual / (dual.norm(dim=0) / strength).clamp_min(1.0)
        x = moved
    return x


def _inner(cube: torch.Tensor, factor: int) -> torch.Tensor:
    """Without the pixels whose footprints stick out."""
    edge = 3 if min(cube.shape[1:]) > 8 else 1
    return cube[:, edge:-edge, edge:-edge]


def psnr_of(found: torch.Tensor, truth: torch.Tensor) -> float:
    """Of the whole cube, peak 1."""
    return float(-10 * (found - truth).double().square().mean().clamp_min(1e-20).log10())


def angle(found: torch.Tensor, truth: torch.Tensor) -> float:
    """Mean spectral angle in degrees where both are lit."""
    lit = (found.norm(dim=0) > 0) & (truth.norm(dim=0) > 0)
    cosine = torch.nn.functional.cosine_similarity(found[:, lit].double(), truth[:, lit].double(), dim=0)
    return float(torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))).mean())


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
