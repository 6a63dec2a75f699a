# SPDX-License-Identifier: GPL-3.0-or-later
"""Models as someone would draw them in the modeler."""

from __future__ import annotations

from pathlib import Path

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterRasterLayer,
)


class From(str):
    """A step's value that comes from the model's input of this name."""


def draw(inputs, steps, wanted) -> QgsProcessingModelAlgorithm:
    """Draw a model.

    Args:
        inputs: names of raster inputs.
        steps: id of a step to (algorithm, values); a value is static, ``From("input")``, or a pair (step, output).
        wanted: the model's outputs, each a pair (step, output).
    """
    source = QgsProcessingModelChildParameterSource
    model = QgsProcessingModelAlgorithm("Drawn by a test", "tests")
    for name in inputs:
        model.addModelParameter(QgsProcessingParameterRasterLayer(name, name), QgsProcessingModelParameter(name))
    for child_id, (algorithm, values) in steps.items():
        child = QgsProcessingModelChildAlgorithm(algorithm)
        child.setChildId(child_id)
        for name, value in values.items():
            if isinstance(value, From):
                made = source.fromModelParameter(str(value))
            elif isinstance(value, tuple):
                made = source.fromChildOutput(*value)
            else:
                made = source.fromStaticValue(value)
            child.addParameterSources(name, [made])
        finals = {}
        for step, output in wanted:
            if step == child_id:
                final = QgsProcessingModelOutput(output, output)
                final.setChildId(child_id)
                final.setChildOutputName(output)
                finals[output] = final
        child.setModelOutputs(finals)
        model.addChildAlgorithm(child)
    return model


def run_saved(model: QgsProcessingModelAlgorithm, folder: Path, inputs: dict, targets: dict) -> dict:
    """Save a model, open it again, run it, and return what its outputs are.

    Args:
        model: the model.
        folder: where its file goes.
        inputs: rasters by name of the model's input.
        targets: files by name of the child's output.
    """
    path = str(folder / "drawn.model3")
    assert model.toFile(path)
    again = QgsProcessingModelAlgorithm()
    assert again.fromFile(path)
    again.initAlgorithm()
    names = {d.description(): d.name() for d in again.destinationParameterDefinitions()}
    values = {**inputs, **{names[output]: str(target) for output, target in targets.items()}}
    feedback = QgsProcessingFeedback()
    made, fine = again.run(values, QgsProcessingContext(), feedback)
    assert fine, feedback.textLog()
    return {output: made[names[output]] for output in targets}
