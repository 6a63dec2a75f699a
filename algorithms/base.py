# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of every algorithm: check, freeze a job, let the engine run it, hand over what came out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterRasterDestination,
    QgsProperty,
)
from qgis.PyQt.QtGui import QIcon

from ..core.engine.client import Listener, run_job
from ..core.engine.interpreter import Candidate, choose
from ..core.engine.job import Job
from ..core.errors import Cancelled, HyperResError, InputError
from .parameters import is_given
from .preferences import Preferences
from .styling import Style, style_when_loaded
from .targets import check_targets
from .translation import tr

ICONS = Path(__file__).resolve().parents[1] / "ui" / "icons"


class Problems(list[str]):
    """Sentences about what stands against a run."""

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note an error as a problem and go on behind the block."""
        try:
            yield
        except HyperResError as error:
            self.append(str(error))


class HyperResAlgorithm(QgsProcessingAlgorithm):
    """Base of all algorithms.

    ``problems`` is the one check; it is called before a dialog runs and again in ``prepareAlgorithm``, because models
    skip the former. What ``processAlgorithm`` needs is frozen into plain values in ``prepareAlgorithm``, on the main
    thread.

    Attributes:
        ROLES: output parameter to the role of that file in the job.
        NUMBERS: number output to the name of that figure in the result.
    """

    ROLES: ClassVar[Mapping[str, str]] = {}
    NUMBERS: ClassVar[Mapping[str, str]] = {}

    _job: Job
    _engine: Candidate

    def createInstance(self) -> QgsProcessingAlgorithm:
        return type(self)()

    def icon(self) -> QIcon:
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        return str(ICONS / f"{self.groupId()}.svg")

    def help_paragraphs(self) -> list[tuple[str, str]]:
        """Headings and plain texts of the help beside the parameters; the first comes before them."""
        raise NotImplementedError

    def check(self, parameters: dict[str, Any], context: QgsProcessingContext, problems: Problems) -> None:
        """Note what is wrong with the inputs; outputs and engine are checked by the base."""
        raise NotImplementedError

    def job(self, parameters: dict[str, Any], context: QgsProcessingContext) -> Job:
        """Freeze the checked inputs; outputs and memory are filled in by the base."""
        raise NotImplementedError

    def styles(self, job: Job) -> Mapping[str, Style]:
        """How outputs are named and drawn when QGIS loads them, by output parameter."""
        return {}

    def inputs(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
        """Files that no output may overwrite."""
        return []

    def add_numbers(self, labels: Mapping[str, str]) -> None:
        """Declare figures that a model can use."""
        for name, label in labels.items():
            self.addOutput(QgsProcessingOutputNumber(name, label))

    def shortHelpString(self) -> str:
        first, *rest = [_section(title, text) for title, text in self.help_paragraphs()]
        definitions = self.parameterDefinitions()
        asked = [definition for definition in definitions if not definition.isDestination()]
        made = [definition for definition in definitions if definition.isDestination()]
        return "".join([first, _list(tr("Inputs"), asked), _list(tr("Outputs"), made), *rest])

    def problems(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
        """Say everything that stands against a run, one sentence each."""
        found = Problems()
        for definition in self.parameterDefinitions():
            with found.noting():
                _check_word(definition, parameters.get(definition.name()))
        self.check(parameters, context, found)
        with found.noting():
            check_targets(self, parameters, self.inputs(parameters, context))
        with found.noting():
            choose(Preferences.load().interpreter)
        return found

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        problems = self.problems(parameters, context)
        if problems:
            return False, "\n".join(problems)
        return super().checkParameterValues(parameters, context)

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        problems = self.problems(parameters, context)
        if problems:
            # not an exception: QGIS would keep its frames, and with them layers, until the program ends
            feedback.reportError("\n".join(problems), True)
            return False
        preferences = Preferences.load()
        self._engine = choose(preferences.interpreter)
        self._job = replace(self.job(parameters, context), memory_mb=preferences.memory_mb or None)
        return True

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        feedback.pushInfo(
            tr("Engine: the Python {path} ({origin}).").format(path=self._engine.path, origin=self._engine.origin)
        )
        paths = self._output_paths(parameters, context)
        job = replace(self._job, outputs={self.ROLES[name]: path for name, path in paths.items()})
        try:
            result = run_job(job, self._engine.path, listen(feedback))
        except Cancelled as note:
            feedback.pushInfo(str(note))
            return {}
        except HyperResError as error:
            raise QgsProcessingException(str(error)) from error
        for name, style in self.styles(job).items():
            if name in paths:
                style_when_loaded(context, paths[name], self.parameterDefinition(name).description(), style)
        figures = {name: result.numbers[key] for name, key in self.NUMBERS.items() if key in result.numbers}
        return {**paths, **figures}

    def _output_paths(self, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, str]:
        """Files to write, by parameter.

        Asked for here and not in ``prepareAlgorithm``: QGIS forgets which layers to load when they are registered
        before the run moves to another thread.
        """
        paths = {}
        for name in self.ROLES:
            if isinstance(self.parameterDefinition(name), QgsProcessingParameterRasterDestination):
                path = self.parameterAsOutputLayer(parameters, name, context)
            else:
                path = self.parameterAsFileOutput(parameters, name, context)
            if path:
                paths[name] = path
        return paths


def listen(feedback: QgsProcessingFeedback) -> Listener:
    """Pass a job's news on to QGIS; progress never goes backwards."""
    seen = {"percent": 0.0, "step": ""}

    def on_progress(percent: float, step: str) -> None:
        if step != seen["step"]:
            seen["step"] = step
            feedback.setProgressText(step)
        if percent > seen["percent"]:
            seen["percent"] = percent
            feedback.setProgress(percent)

    return Listener(on_progress, feedback.pushInfo, feedback.pushWarning, feedback.isCanceled)


def _check_word(definition: QgsProcessingParameterDefinition, value: Any) -> None:
    """Refuse words that a choice does not offer; inside a model QGIS would quietly take the default instead."""
    if isinstance(definition, QgsProcessingParameterEnum) and is_given(value) and not isinstance(value, QgsProperty):
        options = definition.options()
        if value not in options:
            raise InputError(
                f"{value!r} is no choice for '{definition.description()}': choose one of {', '.join(options)}."
            )


def _section(title: str, text: str) -> str:
    return f"<h3>{title}</h3><p>{text}</p>" if title else f"<p>{text}</p>"


def _list(title: str, definitions: Sequence[QgsProcessingParameterDefinition]) -> str:
    items = [f"<p>{definition.description()}: {definition.help()}</p>" for definition in definitions]
    return "".join([f"<h3>{title}</h3>", *items]) if items else ""
