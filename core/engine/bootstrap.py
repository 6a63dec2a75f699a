# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the engine by file name: ``python -I core/engine/bootstrap.py``.

An isolated interpreter has no search path to the plugin, whose folder may carry any name; this script makes it
importable as ``hyperres`` and hands over to the worker or to the probe. It must run on any Python 3.
"""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def load_package() -> None:
    """Import the plugin's folder under the name ``hyperres``."""
    spec = importlib.util.spec_from_file_location(
        "hyperres", str(ROOT / "__init__.py"), submodule_search_locations=[str(ROOT)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"HyperRes is damaged: {ROOT / '__init__.py'} is missing")
    package = importlib.util.module_from_spec(spec)
    sys.modules["hyperres"] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    load_package()
    if sys.argv[1:] == ["--probe"]:
        from hyperres.core.engine import probe

        sys.exit(probe.main())
    from hyperres.core.engine import worker

    sys.exit(worker.main(sys.argv[1:]))
