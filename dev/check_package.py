# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks a plugin zip file by the rules of the QGIS plugin repository: ``check_package.py PLUGIN.zip``."""

from __future__ import annotations

import configparser
import re
import sys
import zipfile
from pathlib import Path, PurePosixPath

MAX_BYTES = 25_000_000
REQUIRED_KEYS = (
    "name",
    "description",
    "version",
    "qgisMinimumVersion",
    "author",
    "email",
    "about",
    "tracker",
    "repository",
    "homepage",
)
REQUIRED_FILES = ("__init__.py", "metadata.txt", "LICENSE")
FORBIDDEN_PARTS = {"__pycache__", ".git", "__MACOSX", "tests", ".venv", ".venv-qgis"}
# QPIP installs a file of this name into the user's profile unasked
FORBIDDEN_NAMES = {"requirements.txt", ".DS_Store"}
BINARY_SUFFIXES = {".pyc", ".pyo", ".pyd", ".so", ".dll", ".dylib", ".exe", ".a", ".o", ".bin"}
BINARY_STARTS = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")


def find_problems(path: Path) -> list[str]:
    """List what the plugin repository would refuse, one sentence each; empty when the file is fine."""
    problems = []
    if path.stat().st_size > MAX_BYTES:
        problems.append(f"The file has more than {MAX_BYTES // 1_000_000} MB.")
    with zipfile.ZipFile(path) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        tops = sorted({name.split("/")[0] for name in names})
        if len(tops) != 1 or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", tops[0]):
            return [*problems, f"There must be one top folder with a Python name, not {tops}."]
        missing = [name for name in REQUIRED_FILES if f"{tops[0]}/{name}" not in names]
        problems += [f"{name} is missing." for name in missing]
        for name in names:
            problems += _file_problems(name, archive)
        if "metadata.txt" not in missing:
            text = archive.read(f"{tops[0]}/metadata.txt").decode("utf-8")
            problems += _metadata_problems(text, {name.partition("/")[2] for name in names})
    return problems


def _file_problems(name: str, archive: zipfile.ZipFile) -> list[str]:
    path = PurePosixPath(name)
    if "\\" in name or ".." in path.parts or FORBIDDEN_PARTS & set(path.parts) or path.name in FORBIDDEN_NAMES:
        return [f"{name} must not be in a plugin."]
    with archive.open(name) as file:
        binary = path.suffix.lower() in BINARY_SUFFIXES or file.read(4).startswith(BINARY_STARTS)
    return [f"{name} is a binary."] if binary else []


def _metadata_problems(text: str, files: set[str]) -> list[str]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # keys keep their capitals
    try:
        parser.read_string(text)
        general = dict(parser["general"])
    except (configparser.Error, KeyError) as error:
        return [f"metadata.txt cannot be read: {error}."]
    problems = [f"metadata.txt lacks {key}." for key in REQUIRED_KEYS if not general.get(key, "").strip()]
    if not re.fullmatch(r"\d+\.\d+\.\d+", general.get("version", "")):
        problems.append("The version must be three numbers, such as 1.2.3.")
    if "/" in general.get("author", ""):
        problems.append("The author's name must not contain a slash.")
    for key in ("homepage", "tracker", "repository"):
        if not re.match(r"https?://[^\s/]+\.", general.get(key, "")):
            problems.append(f"{key} must be a web address.")
    if general.get("hasProcessingProvider") != "yes":
        problems.append("hasProcessingProvider must be yes, or qgis_process does not load the plugin.")
    if general.get("icon") not in files:
        problems.append("The icon named in metadata.txt is missing.")
    if "supportsQt6" in general:
        problems.append("supportsQt6 is no longer understood: state qgisMaximumVersion=4.99.")
    return problems


def main() -> int:
    """Print the problems of the file named on the command line."""
    path = Path(sys.argv[1])
    problems = find_problems(path)
    print(*problems or [f"{path} is fine: {path.stat().st_size / 1000:.0f} kB."], sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
