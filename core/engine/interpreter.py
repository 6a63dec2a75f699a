# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the engine's Python and tries it out (standard library only, any thread).

Order: what the user chose in the options, the variable ``HYPERRES_PYTHON``, the environment at its customary place,
QGIS's own Python. A choice that was made explicitly is never passed over in silence: if it does not work, that is said.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import EnvironmentMissingError

REQUIRED = ("torch", "numpy", "scipy", "rasterio", "safetensors")
"""What the engine imports."""

VARIABLE = "HYPERRES_PYTHON"
ENVIRONMENT_FOLDER = "hyperres-engine"
"""Folder in the user's home where the options page suggests to create the environment."""

CHECK_TIMEOUT_S = 15.0
PROBE_TIMEOUT_S = 90.0
BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
HOW_TO = "choose another one, or create one, in Settings > Options > HyperRes"

_KEPT_VARIABLES = frozenset(
    """HOME USER LOGNAME LANG LANGUAGE LC_ALL LC_CTYPE TZ TMPDIR TEMP TMP XDG_CACHE_HOME XDG_RUNTIME_DIR
    USERPROFILE USERNAME APPDATA LOCALAPPDATA PROGRAMDATA SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC NUMBER_OF_PROCESSORS
    PROCESSOR_ARCHITECTURE OMP_NUM_THREADS MKL_NUM_THREADS""".split()
)
_KEPT_PREFIXES = ("CUDA_", "NVIDIA_", "HIP_", "ROCR_", "PYTORCH_")
_LIST_MISSING = """
import importlib.util, json, sys
print(json.dumps([n for n in sys.argv[1:] if importlib.util.find_spec(n) is None]))
"""


@dataclass(frozen=True)
class Candidate:
    """An interpreter that may run the engine.

    Attributes:
        path: its program file.
        origin: who named it, in words that complete "the Python ...".
        explicit: True when the user named it.
    """

    path: Path
    origin: str
    explicit: bool


@dataclass(frozen=True)
class Probe:
    """What an interpreter said when it was tried out.

    Attributes:
        path: its program file, None when no interpreter was found.
        ok: True when the engine can run there.
        sentence: the verdict in words.
        versions: package name to version.
        devices: what can compute there: ``name``, ``title``, ``free_mb`` (or None), ``seconds`` (or None), ``error``.
        seconds: how long it took to answer.
    """

    path: Path | None
    ok: bool
    sentence: str
    versions: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[Mapping[str, Any], ...] = ()
    seconds: float = 0.0

    def lines(self) -> list[str]:
        """What was found, for a log."""
        engine = [f"Engine: {self.path}, answered in {self.seconds:.1f} s."] if self.path else []
        versions = [", ".join(f"{name} {version}" for name, version in self.versions.items())] if self.versions else []
        return [self.sentence, *engine, *versions, *(_device_line(device) for device in self.devices)]


def candidates(
    setting: str = "", environ: Mapping[str, str] | None = None, home: Path | None = None
) -> list[Candidate]:
    """List the interpreters worth trying, best first.

    Args:
        setting: the interpreter chosen in the options, empty when none is.
        environ: environment variables, this process's by default.
        home: the user's folder.
    """
    environ = os.environ if environ is None else environ
    found = []
    if setting.strip():
        found.append(Candidate(Path(setting.strip()), "chosen in the HyperRes options", True))
    if environ.get(VARIABLE, "").strip():
        found.append(Candidate(Path(environ[VARIABLE].strip()), f"named in {VARIABLE}", True))
    customary = environment_python((home or Path.home()) / ENVIRONMENT_FOLDER)
    if customary.is_file():
        found.append(Candidate(customary, "in the HyperRes environment", False))
    own = qgis_python()
    if own is not None:
        found.append(Candidate(own, "of QGIS", False))
    return found


def environment_python(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def qgis_python() -> Path | None:
    """The interpreter that belongs to the running Python.

    Never ``sys.executable``: inside QGIS that is QGIS itself, or any Python that happens to come first on ``PATH``.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    prefix = Path(sys.base_prefix)
    if os.name == "nt":
        places = [prefix / "python.exe", prefix / "python3.exe"]
    else:
        places = [prefix / "bin" / version, prefix / "bin" / "python3"]
    return next((place for place in places if place.is_file()), None)


def choose(setting: str = "", environ: Mapping[str, str] | None = None, home: Path | None = None) -> Candidate:
    """Choose the interpreter to run the engine with: the first explicit one, else the first that has all packages.

    Raises:
        EnvironmentMissingError: there is none, or the one that the user named cannot run the engine.
    """
    for candidate in candidates(setting, environ, home):
        problem = find_problem(candidate)
        if not problem:
            return candidate
        if candidate.explicit:
            raise EnvironmentMissingError(problem)
    raise EnvironmentMissingError(
        f"HyperRes computes in a Python environment of its own with {', '.join(REQUIRED)}, and none was found: "
        f"create one as Settings > Options > HyperRes shows, or name its interpreter in {VARIABLE}."
    )


def find_problem(candidate: Candidate, timeout_s: float = CHECK_TIMEOUT_S) -> str:
    """Say in one sentence why an interpreter cannot run the engine; empty when nothing speaks against it.

    Quick (it imports nothing heavy): packages are looked up, not imported.
    """
    named = f"The Python {candidate.path} ({candidate.origin})"
    if not candidate.path.is_file():
        return f"{named} does not exist: {HOW_TO}."
    try:
        answer = _ask([str(candidate.path), "-I", "-c", _LIST_MISSING, *REQUIRED], timeout_s)
        missing = [str(name) for name in json.loads(answer.stdout)]
    except subprocess.TimeoutExpired:
        return f"{named} gave no answer within {timeout_s:.0f} seconds: {HOW_TO}."
    except OSError as error:
        return f"{named} cannot be started ({error.strerror or error}): {HOW_TO}."
    except (ValueError, TypeError):
        return f"{named} is no working Python 3: {HOW_TO}."
    return f"{named} lacks {', '.join(missing)}: {_install_hint(candidate.path, missing)}." if missing else ""


def probe(path: Path, timeout_s: float = PROBE_TIMEOUT_S) -> Probe:
    """Try an interpreter out: import everything and compute a little on every device; takes seconds."""
    started = time.monotonic()
    problem = find_problem(Candidate(path, "to be tried", False), min(timeout_s, CHECK_TIMEOUT_S))
    if problem:
        return Probe(path, False, problem.replace(" (to be tried)", ""), seconds=time.monotonic() - started)
    try:
        answer = _ask([str(path), "-I", str(BOOTSTRAP), "--probe"], timeout_s)
        report = json.loads(answer.stdout)
    except subprocess.TimeoutExpired:
        sentence = f"The Python {path} did not finish its trial within {timeout_s:.0f} seconds: {HOW_TO}."
        return Probe(path, False, sentence, seconds=timeout_s)
    except (OSError, ValueError):
        sentence = f"The Python {path} crashed while it imported the engine's packages: {HOW_TO}."
        return Probe(path, False, sentence, seconds=time.monotonic() - started)
    return _verdict(path, report, time.monotonic() - started)


def examine(setting: str = "") -> Probe:
    """Choose an interpreter as a run would, and try it out."""
    try:
        return probe(choose(setting).path)
    except EnvironmentMissingError as error:
        return Probe(None, False, str(error))


def clean_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Build a child's environment from scratch, so that nothing of QGIS leaks into it.

    QGIS and its launchers set ``PYTHONHOME``, ``PROJ_LIB``, ``GDAL_DATA``, ``LD_LIBRARY_PATH`` and the like, which
    break another Python and its own GDAL and PROJ.
    """
    environ = os.environ if environ is None else environ
    kept = {
        name: value
        for name, value in environ.items()
        if name.upper() in _KEPT_VARIABLES or name.upper().startswith(_KEPT_PREFIXES)
    }
    if os.name == "nt":
        root = environ.get("SYSTEMROOT", r"C:\Windows")
        kept["PATH"] = rf"{root}\System32;{root}"
    else:
        kept["PATH"] = os.defpath
        # tiles come and go by tens of megabytes: large pages save a sixth of the time where there is glibc
        kept["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1"
    kept["PYTHONUTF8"] = "1"  # ignored under -I, wanted by what the child may start
    return kept


def no_window_flags() -> int:
    """Flags that keep Windows from opening a console for a child."""
    return int(getattr(subprocess, "CREATE_NO_WINDOW", 0))


def create_commands(windows: bool | None = None) -> str:
    """The commands that create an environment at its customary place, to be copied into a terminal."""
    windows = os.name == "nt" if windows is None else windows
    packages = " ".join(REQUIRED)
    if windows:
        python = rf'"%USERPROFILE%\{ENVIRONMENT_FOLDER}\Scripts\python.exe"'
        return f'py -3 -m venv "%USERPROFILE%\\{ENVIRONMENT_FOLDER}"\n{python} -m pip install {packages}'
    return f"python3 -m venv ~/{ENVIRONMENT_FOLDER}\n~/{ENVIRONMENT_FOLDER}/bin/python -m pip install {packages}"


def _ask(command: list[str], timeout_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # nosec B603 - a list, no shell: nothing is interpreted
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout_s,
        env=clean_environment(),
        creationflags=no_window_flags(),
        check=False,
    )


def _install_hint(path: Path, missing: list[str]) -> str:
    return f'run "{path}" -m pip install {" ".join(missing)}, or {HOW_TO}'


def _verdict(path: Path, report: Mapping[str, Any], seconds: float) -> Probe:
    versions, devices = dict(report["versions"]), tuple(report["devices"])
    broken = {**dict.fromkeys(report["missing"], "not found"), **report["broken"]}
    if broken:
        name, reason = next(iter(broken.items()))
        sentence = f"The Python {path} cannot import {name} ({reason}): reinstall it there, or {HOW_TO}."
        return Probe(path, False, sentence, versions, devices, seconds)
    working = [device["title"] for device in devices if not device["error"]]
    sentence = f"Ready: Python {versions['python']}, torch {versions['torch']}, {'; '.join(working)}."
    return Probe(path, bool(working), sentence, versions, devices, seconds)


def _device_line(device: Mapping[str, Any]) -> str:
    if device["error"]:
        return f"{device['name']}: {device['title']}, does not work ({device['error']})."
    memory = "" if device["free_mb"] is None else f", {device['free_mb']} MB free"
    return f"{device['name']}: {device['title']}{memory}, test product in {1000 * device['seconds']:.2f} ms."
