# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets all tests of the core import what they share."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
