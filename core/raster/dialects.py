# SPDX-License-Identifier: GPL-3.0-or-later
"""Wavelengths, widths and bad bands in all the ways that raster files spell them.

Pure functions on plain dictionaries, so that QGIS (osgeo.gdal) and the worker (rasterio) read a raster alike. Raster
metadata comes in domains: a mapping from domain name ("" is the default one) to keys and values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..bands import BandTable
from .envi import listed, parse_envi_header

Domains = Mapping[str, Mapping[str, str]]

DOMAINS = ("", "IMAGERY", "ENVI", "FORCE")
"""The metadata domains that are looked at, of the dataset as of its bands."""

AGREEMENT_NM = 1.0
MICROMETRES_BELOW = 100.0

_NM_PER_UNIT = {
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre", "nanometres"), 1.0),
    **dict.fromkeys(("um", "µm", "μm", "micrometer", "micrometers", "micrometre", "micrometres"), 1e3),
    **dict.fromkeys(("micron", "microns", "mkm"), 1e3),
    **dict.fromkeys(("mm", "millimeters", "millimetres"), 1e6),
    **dict.fromkeys(("m", "meters", "metres"), 1e9),
    **dict.fromkeys(("angstrom", "angstroms"), 0.1),
}
_WAVELENGTH = re.compile(r"(?:.*_)?(?<!good_)wavelengths?(?:_(nm|um))?")
_FWHM = re.compile(r"(?:.*_)?fwhm(?:_(nm|um))?")
_GOOD = re.compile(r"(?:.*_)?(?:bbl|good_wavelengths)")
_UNIT = re.compile(r"(?:.*_)?wavelengths?_units?")
_IN_WORDS = re.compile(
    r"(?<![\w./-])(\d+(?:\.\d+)?)\s*(nm|nanomet(?:er|re)s?|um|µm|μm|micromet(?:er|re)s?|microns?)(?!\w)", re.IGNORECASE
)


@dataclass(frozen=True)
class _Source:
    """What one dialect says, as numbers in the file's unit; ``nan`` where a band says nothing."""

    name: str
    wavelength: tuple[float, ...] = ()
    fwhm: tuple[float, ...] = ()
    good: tuple[float, ...] = ()
    nm_per_unit: float | None = None


def read_band_table(
    dataset: Domains,
    bands: Sequence[Domains],
    descriptions: Sequence[str | None],
    sidecar: Mapping[str, str] | None = None,
) -> tuple[BandTable, tuple[str, ...]]:
    """Read the spectral axis of a raster.

    The first dialect that gives all bands a wavelength counts; one that GDAL rounded gives way to an exact one.

    Args:
        dataset: the dataset's metadata.
        bands: each band's metadata.
        descriptions: each band's description.
        sidecar: the ENVI header beside a file of another format.

    Returns:
        the table, and sentences about what had to be guessed or ignored.
    """
    count = len(bands)
    warnings: list[str] = []
    sources = [
        _fitting(source, count, warnings) for source in _sources(dataset, bands, descriptions, sidecar) if source
    ]
    wavelength_nm = _wavelengths(sources, warnings)
    names = tuple(text.strip() if text and text.strip() else f"Band {i + 1}" for i, text in enumerate(descriptions))
    good = next((source.good for source in sources if source.good), ())
    table = BandTable(
        names=names,
        good=tuple(value != 0 for value in good) if good else (True,) * count,
        wavelength_nm=wavelength_nm,
        fwhm_nm=_widths(sources) if wavelength_nm else None,
    )
    return table, tuple(warnings)


def read_sidecar(path: str) -> dict[str, str] | None:
    """Read the ENVI header that lies beside a raster (``cube.hdr`` or ``cube.tif.hdr``), if there is one."""
    raster = Path(path)
    for candidate in (Path(path + ".hdr"), raster.with_suffix(".hdr") if raster.suffix else raster):
        if candidate != raster and candidate.is_file():
            text = candidate.read_text(encoding="utf-8", errors="replace")
            if text.lstrip().startswith("ENVI"):
                return parse_envi_header(text)
    return None


def dataset_items(table: BandTable) -> dict[str, dict[str, str]]:
    """Dataset metadata that carries the spectral axis: the ENVI lists, by domain."""
    items: dict[str, str] = {}
    if table.wavelength_nm is not None:
        items["wavelength"] = _braced(_text(nm) for nm in table.wavelength_nm)
        items["wavelength_units"] = "Nanometers"
        if table.fwhm_nm is not None:
            items["fwhm"] = _braced(_text(nm) for nm in table.fwhm_nm)
    items["bbl"] = _braced(str(int(good)) for good in table.good)
    return {"ENVI": items}


def band_items(table: BandTable, band: int) -> dict[str, dict[str, str]]:
    """Metadata of one band (counted from 0) that carries its place on the spectral axis, by domain."""
    items = {"bbl": str(int(table.good[band]))}
    imagery: dict[str, str] = {}
    if table.wavelength_nm is not None:
        nm = table.wavelength_nm[band]
        items.update(wavelength=_text(nm), wavelength_units="Nanometers")
        imagery["CENTRAL_WAVELENGTH_UM"] = _text(nm / 1000.0)
        if table.fwhm_nm is not None:
            items["fwhm"] = _text(table.fwhm_nm[band])
            imagery["FWHM_UM"] = _text(table.fwhm_nm[band] / 1000.0)
    return {"": items, "IMAGERY": imagery} if imagery else {"": items}


def band_description(table: BandTable, band: int) -> str:
    """Description of one band of a spectral output: its wavelength, or its name without one."""
    if table.wavelength_nm is None:
        return table.names[band]
    return f"{round(table.wavelength_nm[band], 3)} nm"


def nm_per_unit(unit: str) -> float | None:
    """Nanometres per unit of length, None when the word means no length."""
    return _NM_PER_UNIT.get(unit.strip().strip("{}").strip().lower())


def _sources(
    dataset: Domains,
    bands: Sequence[Domains],
    descriptions: Sequence[str | None],
    sidecar: Mapping[str, str] | None,
) -> Iterator[_Source | None]:
    """All dialects, the most trustworthy first."""
    yield _of_bands("IMAGERY domain", [band.get("IMAGERY", {}) for band in bands])
    yield _of_bands("band metadata", [band.get("", {}) for band in bands])
    yield _of_lists("ENVI domain", dataset.get("ENVI", {}))
    yield _of_bands("FORCE domain", [band.get("FORCE", {}) for band in bands])
    yield _of_lists("dataset metadata", dataset.get("", {}))
    yield _of_words("dataset's band list", _band_list(dataset.get("", {}), len(bands)))
    yield _of_lists("header file beside the raster", sidecar or {})
    yield _of_words("band descriptions", descriptions)


def _band_list(items: Mapping[str, str], count: int) -> list[str | None]:
    """The items ``Band_1``, ``Band_2``, ... that GDAL's ENVI driver makes; those of a larger raster say nothing."""
    if f"Band_{count + 1}" in items:
        return []
    return [items.get(f"Band_{i + 1}") for i in range(count)]


def _of_bands(name: str, bands: Sequence[Mapping[str, str]]) -> _Source | None:
    """A dialect that gives every band its own items."""
    found = [_items(band) for band in bands]
    if not any(found):
        return None
    units = [_declared(items) for items in found]
    common = next((unit for unit in units if unit is not None), None)

    def column(kind: str, default: float) -> tuple[float, ...]:
        if not any(kind in items for items in found):
            return ()
        return tuple(_number(items[kind][0]) if kind in items else default for items in found)

    def length(kind: str) -> tuple[float, ...]:
        return tuple(v * (unit / common if unit and common else 1.0) for v, unit in zip(column(kind, math.nan), units))

    return _Source(name, length("wavelength"), length("fwhm"), column("good", 1.0), common)


def _of_lists(name: str, items: Mapping[str, str]) -> _Source | None:
    """A dialect that lists all bands in one item."""
    found = _items(items)
    lists = {
        key: tuple(_number(part) for part in listed(value))
        for key, (value, _) in found.items()
        if key in ("wavelength", "fwhm", "good")
    }
    if not lists:
        return None
    return _Source(name, lists.get("wavelength", ()), lists.get("fwhm", ()), lists.get("good", ()), _declared(found))


def _of_words(name: str, texts: Sequence[str | None]) -> _Source | None:
    """Numbers with a unit of length in words, such as "Band 2: 550 nm"; never a bare number."""
    found = [_IN_WORDS.search(text or "") for text in texts]
    if not any(found):
        return None
    nm = tuple(float(hit[1]) * _NM_PER_UNIT[hit[2].lower()] if hit else math.nan for hit in found)
    return _Source(name, nm, nm_per_unit=1.0)


def _items(raw: Mapping[str, str]) -> dict[str, tuple[str, str | None]]:
    """Pick what concerns the spectral axis: kind -> (value, unit in the key)."""
    found: dict[str, tuple[str, str | None]] = {}
    for key, value in raw.items():
        spelled = key.strip().lower().replace(" ", "_")
        for kind, pattern in (("unit", _UNIT), ("good", _GOOD), ("wavelength", _WAVELENGTH), ("fwhm", _FWHM)):
            hit = pattern.fullmatch(spelled)
            if hit and kind not in found:
                found[kind] = (value, hit[1] if hit.re.groups else None)
                break
    return found


def _declared(items: Mapping[str, tuple[str, str | None]]) -> float | None:
    """Nanometres per unit, as the key or the unit item says."""
    in_key = next((items[key][1] for key in ("wavelength", "fwhm") if key in items and items[key][1]), None)
    unit = in_key or (items["unit"][0] if "unit" in items else None)
    return nm_per_unit(unit) if unit else None


def _fitting(source: _Source, count: int, warnings: list[str]) -> _Source:
    """Drop lists whose length is not the band count."""
    kept = {"wavelength": source.wavelength, "fwhm": source.fwhm, "good": source.good}
    for key, values in kept.items():
        if values and len(values) != count:
            word = {"wavelength": "wavelengths", "fwhm": "widths", "good": "bad bands"}[key]
            warnings.append(
                f"The list of {word} in the {source.name} is ignored: it has {len(values)} values for {count} bands."
            )
            kept[key] = ()
    return _Source(source.name, kept["wavelength"], kept["fwhm"], kept["good"], source.nm_per_unit)


def _wavelengths(sources: Sequence[_Source], warnings: list[str]) -> tuple[float, ...] | None:
    """The wavelengths of the first complete source, checked against the others."""
    complete = [source for source in sources if source.wavelength and _all_positive(source.wavelength)]
    if not complete:
        partial = next((source for source in sources if source.wavelength), None)
        if partial:
            missing = sum(not value > 0 or math.isinf(value) for value in partial.wavelength)
            warnings.append(
                f"The wavelengths in the {partial.name} are ignored: {missing} of {len(partial.wavelength)} bands have "
                "no valid one."
            )
        return None
    chosen = _exact(complete, "wavelength")
    if chosen.nm_per_unit is None:
        unit = "micrometres" if max(chosen.wavelength) < MICROMETRES_BELOW else "nanometres"
        warnings.append(f"The wavelengths in the {chosen.name} have no unit and are taken as {unit}.")
    nm = _in_nm(chosen, "wavelength")
    other = next((source for source in complete if not _agree(_in_nm(source, "wavelength"), nm)), None)
    if other:
        warnings.append(
            f"The wavelengths in the {chosen.name} and in the {other.name} differ by more than {AGREEMENT_NM:g} nm: "
            f"those in the {chosen.name} are used."
        )
    return nm


def _widths(sources: Sequence[_Source]) -> tuple[float, ...] | None:
    complete = [
        source
        for source in sources
        if source.fwhm and _all_positive(source.fwhm) and (source.nm_per_unit or source.wavelength)
    ]
    return _in_nm(_exact(complete, "fwhm"), "fwhm") if complete else None


def _exact(sources: Sequence[_Source], column: str) -> _Source:
    """The first source, or the next that agrees with it if it is the IMAGERY domain, which GDAL fills rounded."""
    first = sources[0]
    if first.name.startswith("IMAGERY"):
        for source in sources[1:]:
            if _agree(_in_nm(source, column), _in_nm(first, column)):
                return source
    return first


def _in_nm(source: _Source, column: str) -> tuple[float, ...]:
    factor = source.nm_per_unit
    if factor is None:
        factor = 1000.0 if source.wavelength and max(source.wavelength) < MICROMETRES_BELOW else 1.0
    values: tuple[float, ...] = getattr(source, column)
    return tuple(round(value * factor, 6) for value in values)


def _agree(a: Sequence[float], b: Sequence[float]) -> bool:
    return all(abs(x - y) <= AGREEMENT_NM for x, y in zip(a, b))


def _all_positive(values: Sequence[float]) -> bool:
    return all(value > 0 and not math.isinf(value) for value in values)


def _number(text: str) -> float:
    """The number at the start of a text ("0.55 um"), nan without one."""
    hit = re.match(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)", text)
    return float(hit[1]) if hit else math.nan


def _text(value: float) -> str:
    return f"{value:.10g}"


def _braced(parts: Iterator[str]) -> str:
    return "{" + ", ".join(parts) + "}"
