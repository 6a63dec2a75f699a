# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures without an imaging library: colour ramps over arrays, and PNG files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from .ramps import Colour

_LEVELS = 255


def colourise(values: np.ndarray, low: float, high: float, ramp: Sequence[Colour]) -> np.ndarray:
    """Paint numbers with a ramp; what is not finite becomes transparent.

    Args:
        values: [rows, columns].
        low: the number at the start of the ramp; what lies below takes its colour.
        high: the number at the end of the ramp; what lies above takes its colour.
        ramp: evenly spaced anchor colours.

    Returns:
        uint8 RGBA, [rows, columns, 4], with at most 255 colours, so that PNG files stay small.
    """
    finite = np.isfinite(values)
    share = (np.where(finite, values, low) - low) / (high - low if high > low else 1.0)
    level = np.rint(np.clip(share, 0.0, 1.0) * (_LEVELS - 1)).astype(np.intp)
    painted = ramp_table(ramp)[level]
    painted[~finite] = 0
    return painted


def ramp_table(ramp: Sequence[Colour]) -> np.ndarray:
    """The 255 colours of a ramp, opaque uint8 RGBA [255, 4]."""
    anchors = np.asarray(ramp, dtype=float)
    place = np.linspace(0, len(anchors) - 1, _LEVELS)
    table = np.full((_LEVELS, 4), 255, dtype=np.uint8)
    for channel in range(3):
        table[:, channel] = np.rint(np.interp(place, np.arange(len(anchors)), anchors[:, channel]))
    return table


def paint_classes(classes: np.ndarray, colours: Sequence[Colour]) -> np.ndarray:
    """Paint class numbers 1, 2, ... with their colours; 0 and what is not finite become transparent.

    Args:
        classes: [rows, columns].
        colours: of classes 1, 2, ...

    Returns:
        uint8 RGBA, [rows, columns, 4].
    """
    table = np.zeros((len(colours) + 1, 4), dtype=np.uint8)
    table[1:, :3] = np.asarray(colours, dtype=np.uint8).reshape(-1, 3)
    table[1:, 3] = 255
    index = np.where(np.isfinite(classes), classes, 0).astype(np.intp)
    return table[np.where((index < 0) | (index > len(colours)), 0, index)]


def encode(pixels: np.ndarray) -> bytes:
    """Write a PNG file; pictures of at most 256 colours are stored with a palette.

    Args:
        pixels: uint8 RGB or RGBA, [rows, columns, 3 or 4].

    Raises:
        ValueError: the array has another shape or type.
    """
    if pixels.ndim != 3 or pixels.shape[2] not in (3, 4) or pixels.dtype != np.uint8 or 0 in pixels.shape:
        raise ValueError(f"A picture is uint8 [rows, columns, 3 or 4], not {pixels.dtype} {list(pixels.shape)}.")
    packed = _pack(pixels)
    colours, index = np.unique(packed, return_inverse=True)
    if len(colours) <= 256:
        palette = colours.astype(">u4").view(np.uint8).reshape(-1, 4)
        extra = _chunk(b"PLTE", palette[:, :3].tobytes()) + _chunk(b"tRNS", palette[:, 3].tobytes())
        return _file(index.reshape(packed.shape).astype(np.uint8)[..., None], 3, extra)
    return _file(pixels, 2 if pixels.shape[2] == 3 else 6, b"")


def _pack(pixels: np.ndarray) -> np.ndarray:
    """One big-endian RGBA number per pixel."""
    parts = pixels.astype(np.uint32)
    alpha = parts[..., 3] if pixels.shape[2] == 4 else np.uint32(255)
    return (parts[..., 0] << 24) | (parts[..., 1] << 16) | (parts[..., 2] << 8) | alpha


def _file(samples: np.ndarray, colour_type: int, extra: bytes) -> bytes:
    rows, columns, channels = samples.shape
    header = struct.pack(">IIBBBBB", columns, rows, 8, colour_type, 0, 0, 0)
    lines = np.zeros((rows, 1 + columns * channels), dtype=np.uint8)
    lines[:, 1:] = samples.reshape(rows, -1)
    if colour_type != 3:  # photographs shrink when each byte is stored as its difference to the pixel before
        lines[:, 0] = 1
        lines[:, 1 + channels :] -= samples.reshape(rows, -1)[:, :-channels]
    data = zlib.compress(lines.tobytes(), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
