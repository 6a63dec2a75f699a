# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs per CPU-second that the generator of super-resolution makes: 24 to 24 s pixels, 6 planes, one thread.

    python benchmarks/sisr_generator.py

Rows: the published law, and the one for any scene, as it draws them; the latter also as training takes them, every
drawn pair seen several times, mirrored and turned.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import time

import torch

from hyperres.core.sisr.pairs import generic_source, paper_source
from hyperres.core.sisr.sources import Recalled, Source

FACTORS, PLANES, SIZE = (2, 4, 8), 6, 24
PAIRS, ROUNDS, TIMES = 8, 6, 4


def rate(source: Source) -> float:
    """Pairs per second of processor time."""
    generator = torch.Generator().manual_seed(0)
    source.draw(PAIRS, generator)
    start = time.process_time()
    for _ in range(ROUNDS):
        source.draw(PAIRS, generator)
    return PAIRS * ROUNDS / (time.process_time() - start)


def main() -> None:
    """Print one line a factor and law."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    scene = torch.rand(PLANES, SIZE, SIZE, generator=generator)
    endmembers = torch.rand(100, PLANES, generator=generator)
    for factor in FACTORS:
        sources: dict[str, Source] = {
            "published": paper_source(factor, scene, endmembers),
            "any scene": generic_source(factor, PLANES, SIZE),
            f"any scene, {TIMES} times": Recalled(generic_source(factor, PLANES, SIZE), TIMES),
        }
        for name, source in sources.items():
            print(f"x{factor}  {name:20s} {rate(source):7.0f} pairs a CPU-second")


if __name__ == "__main__":
    main()
