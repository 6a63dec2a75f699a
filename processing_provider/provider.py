# SPDX-License-Identifier: GPL-3.0-or-later
"""The toolbox provider."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from ..algorithms.assess import AssessAlgorithm
from ..algorithms.endmembers import EndmembersAlgorithm
from ..algorithms.estimatestf import EstimateStfAlgorithm
from ..algorithms.fuse import FuseAlgorithm
from ..algorithms.simulate import SimulateAlgorithm
from ..algorithms.spectralift import SpectraLiftAlgorithm
from ..algorithms.spectralsuperresolve import SpectralSuperResolveAlgorithm
from ..algorithms.spectramorph import SpectraMorphAlgorithm
from ..algorithms.status import StatusAlgorithm
from ..algorithms.superresolve import SuperresolveAlgorithm
from ..algorithms.trainssr import TrainSsrAlgorithm
from ..algorithms.unmix import UnmixAlgorithm
from ..core.version import plugin_version

ALGORITHMS = (
    UnmixAlgorithm,
    EndmembersAlgorithm,
    FuseAlgorithm,
    SpectraLiftAlgorithm,
    SpectraMorphAlgorithm,
    SuperresolveAlgorithm,
    SpectralSuperResolveAlgorithm,
    TrainSsrAlgorithm,
    EstimateStfAlgorithm,
    SimulateAlgorithm,
    AssessAlgorithm,
    StatusAlgorithm,
)

ROOT = Path(__file__).resolve().parents[1]
ICON = ROOT / "ui" / "icons" / "hyperres.svg"
EXTENSIONS = ("tif", "tiff", "bsq", "dat", "img")


class HyperResProvider(QgsProcessingProvider):
    """Lists the algorithms under one roof."""

    def id(self) -> str:
        return "hyperres"

    def name(self) -> str:
        return "HyperRes"

    def icon(self) -> QIcon:
        return QIcon(str(ICON))

    def svgIconPath(self) -> str:
        return str(ICON)

    def versionInfo(self) -> str:
        return plugin_version()

    def loadAlgorithms(self) -> None:
        for kind in ALGORITHMS:
            self.addAlgorithm(kind())

    def supportedOutputRasterLayerExtensions(self) -> list[str]:
        return list(EXTENSIONS)

    def defaultRasterFileExtension(self) -> str:
        return EXTENSIONS[0]
