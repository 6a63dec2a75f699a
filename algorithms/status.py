# SPDX-License-Identifier: GPL-3.0-or-later
"""Status: whether this machine is ready to compute."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

from qgis.core import (
    Qgis,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputBoolean,
    QgsProcessingOutputString,
)

from ..core.engine.interpreter import Probe, create_commands, examine
from ..core.version import plugin_version
from . import parameters as shared
from .base import HyperResAlgorithm, Problems
from .preferences import Preferences
from .targets import check_targets
from .translation import tr


class StatusAlgorithm(HyperResAlgorithm):
    """Tries the engine out and says what it found; never fails for want of an engine."""

    _setting: str
    _record_path: str

    def name(self) -> str:
        return "status"

    def displayName(self) -> str:
        return tr("Check the engine")

    def group(self) -> str:
        return tr("Tools")

    def groupId(self) -> str:
        return "tools"

    def shortDescription(self) -> str:
        return tr("Tells whether this machine is ready to compute, and with what.")

    def tags(self) -> list[str]:
        return tr("status,engine,gpu,cuda,device,torch,version,diagnostics,interpreter").split(",")

    def help_paragraphs(self) -> list[tuple[str, str]]:
        return [
            (
                "",
                tr(
                    "HyperRes computes in a Python environment of its own. This starts it, lists the versions of "
                    "everything that matters, and times a small computation on every device. When there is no "
                    "engine yet, the log shows the commands that create one."
                ),
            ),
            (
                tr("Hints"),
                tr("The engine is chosen in Settings > Options > HyperRes, or by the variable HYPERRES_PYTHON."),
            ),
        ]

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        self.addParameter(shared.result())
        self.addOutput(QgsProcessingOutputBoolean("READY", tr("Ready to compute")))
        self.addOutput(QgsProcessingOutputString("TEXT", tr("Findings")))

    def problems(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
        found = Problems()
        with found.noting():
            check_targets(self, parameters, [])
        return found

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        problems = self.problems(parameters, context)
        if problems:
            feedback.reportError("\n".join(problems), True)
            return False
        self._setting = Preferences.load().interpreter
        self._record_path = self.parameterAsFileOutput(parameters, "RESULT", context)
        return True

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        found = examine(self._setting)
        lines = describe(found)
        for line in lines:
            feedback.pushInfo(line)
        made: dict[str, Any] = {"READY": found.ok, "TEXT": "\n".join(lines)}
        if self._record_path:
            record = {**asdict(found), "path": str(found.path or ""), "hyperres": plugin_version()}
            Path(self._record_path).write_text(json.dumps(record, indent=1), encoding="utf-8")
            made["RESULT"] = self._record_path
        return made


def describe(found: Probe) -> list[str]:
    """Say in lines of text what a trial found, and how to get an engine when it failed."""
    version = f"HyperRes {plugin_version()} in QGIS {Qgis.QGIS_VERSION}, Python {platform.python_version()}."
    if found.ok:
        return [version, *found.lines()]
    how_to = tr("These commands, typed into a terminal, create an environment that HyperRes finds by itself:")
    return [version, *found.lines(), how_to, *create_commands().splitlines()]
