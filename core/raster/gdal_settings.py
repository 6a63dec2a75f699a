# SPDX-License-Identifier: GPL-3.0-or-later
"""How GDAL works in the worker process. Import this module before a raster is opened.

Variables that the user set keep their value.
"""

from __future__ import annotations

import os
import warnings

from rasterio.errors import NotGeoreferencedWarning

for _name, _value in {
    # Tiles are read whole and once, so a large cache only costs memory (GDAL's own default is 5 % of the machine).
    "GDAL_CACHEMAX": "64",
    # Leave no .properties file beside gzip-compressed rasters.
    "CPL_VSIL_GZIP_WRITE_PROPERTIES": "NO",
}.items():
    os.environ.setdefault(_name, _value)

# Rasters without georeference are fine here; the worker's error stream is for errors.
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)
