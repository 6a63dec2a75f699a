# SPDX-License-Identifier: GPL-3.0-or-later
"""HyperRes: sharper spectra and sharper pixels inside QGIS.

Nothing of QGIS or torch is imported here, so that workers and plain Python can use ``hyperres.core``.
"""


def classFactory(iface):  # noqa: ANN001, ANN201
    """Make the plugin (called by QGIS)."""
    from .plugin import HyperResPlugin

    return HyperResPlugin(iface)
