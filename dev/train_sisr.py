# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains a network that super-resolution ships, from made-up leaves alone: no image is read, none is needed.

It is judged, and the best of its states kept, by leaves that it never saw; the table at the end compares it with cubic
interpolation and with the best linear guess on scenes of other kinds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import torch

from hyperres.core.engine.method import Context
from hyperres.core.learning import Progress, Recipe
from hyperres.core.sisr.held_out import KINDS, other_pairs
from hyperres.core.sisr.kriging import guess, kriging_filters
from hyperres.core.sisr.network import BLOCKS, WIDTH, PlaneNet
from hyperres.core.sisr.pairs import PairBatch, generic_source
from hyperres.core.sisr.shipped import load_network, save_network, shipped_path
from hyperres.core.sisr.sources import Grained, Recalled, Source, Standardised
from hyperres.core.sisr.training import train
from hyperres.core.sisr.upscaler import interpolated

SEED = 1
VERSION = 1
PLANES = 4
RECALLED = {2: 1, 4: 2, 8: 4}
BLURS = (0.5, 0.7, 1.0)
NOISES = (0.0, 0.02)
HELD_OUT = 6


def main() -> None:
    """Train, write, compare."""
    parser = argparse.ArgumentParser(prog="dev/train_sisr", description=__doc__)
    parser.add_argument("factor", type=int, choices=(2, 4, 8))
    parser.add_argument("--steps", type=int, default=Recipe.steps, help="gradient steps (%(default)s)")
    parser.add_argument("--images", type=int, default=Recipe.images, help="images per step (%(default)s)")
    parser.add_argument(
        "--from", dest="start", type=Path, help="network to begin with; of another factor only its inner layers"
    )
    parser.add_argument("--output", type=Path, help="file to write; the shipped one by default")
    parser.add_argument("--compare-only", action="store_true", help="print the table of the file as it is")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    output = options.output or shipped_path(options.factor)
    if not options.compare_only:
        recipe = replace(Recipe(), steps=options.steps, images=options.images)
        run(options.factor, recipe, options.start, output, options.device)
    compare(load_network(output)[0])


def run(factor: int, recipe: Recipe, start: Path | None, output: Path, device: torch.device) -> None:
    """Train a network and write each new best."""
    torch.manual_seed(SEED)
    network = PlaneNet(factor, WIDTH, BLOCKS)
    begun = None
    if start is not None:
        known, about = load_network(start)
        if known.factor == factor:
            network.load_state_dict(known.state_dict())
        else:
            network.body.load_state_dict(known.body.state_dict())
        begun = f"{start.stem} at its step {about['step']}"
    source, held_out = Recalled(make_source(factor), RECALLED[factor]), _held_out(factor)
    began = time.monotonic()

    def judged(average: torch.nn.Module, progress: Progress) -> None:
        seconds = time.monotonic() - began
        print(f"step {progress.steps[-1]:6d}  error {progress.errors[-1]:.4f}  {seconds:6.0f} s", flush=True)
        if progress.best == len(progress.errors) - 1 and isinstance(average, PlaneNet):
            about = {
                "version": VERSION,
                "made_by": f"dev/train_sisr {factor}",
                "data": "generic dead leaves with grain, no image",
                "seed": SEED,
                "recipe": asdict(recipe),
                "started_from": begun,
                "step": progress.steps[-1],
                "error": round(progress.errors[-1], 5),
                "torch": torch.__version__,
            }
            save_network(average, output, about)

    found = train(network, source, held_out, recipe, Context(device, SEED), judged)
    print(f"best at step {found.steps[found.best]}: {found.errors[found.best]:.4f}, at the start {found.errors[0]:.4f}")


def make_source(factor: int) -> Source:
    """The generic leaves that shipped networks learn from."""
    return Standardised(Grained(generic_source(factor, PLANES)))


def compare(network: PlaneNet) -> None:
    """Print PSNR over the spread of the planes, and gains over cubic interpolation."""
    print(
        f"\nx{network.factor}  {'scene':8}{'sigma/s':>8}{'noise':>7}{'cubic':>8}{'linear':>8}{'network':>9}{'gain':>7}"
    )
    for name, blur, noise, batch in _trials(network.factor):
        filters = kriging_filters(network.factor, batch.sigma, batch.noise)
        linear = torch.nn.functional.pixel_shuffle(guess(batch.low, filters), network.factor)
        cubic = interpolated(batch.low.flatten(0, 1), network.factor)
        with torch.no_grad():
            found = network(batch.low, batch.sigma, batch.noise)
        cubic_db, linear_db, found_db = (
            _decibels(x.reshape(batch.high.shape), batch.high) for x in (cubic, linear, found)
        )
        figures = f"{cubic_db:8.2f}{linear_db:8.2f}{found_db:9.2f}{found_db - cubic_db:7.2f}"
        print(f"    {name:8}{blur:8.2f}{noise:7.2f}{figures}", flush=True)


def _trials(factor: int) -> Iterator[tuple[str, float, float, PairBatch]]:
    for kind in KINDS:
        for blur in BLURS:
            for noise in NOISES:
                generator = torch.Generator().manual_seed(SEED + 1)
                yield kind, blur, noise, other_pairs(kind, factor, blur * factor, noise, generator)


def _held_out(factor: int) -> list[PairBatch]:
    """Leaves that are never trained on."""
    generator = torch.Generator().manual_seed(SEED + 1000)
    source = make_source(factor)
    return [source.draw(8, generator) for _ in range(HELD_OUT)]


def _decibels(found: torch.Tensor, truth: torch.Tensor) -> float:
    return float(-10.0 * torch.log10((found - truth).square().mean()))


if __name__ == "__main__":
    main()
