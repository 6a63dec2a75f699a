# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Two threads on a busy machine are many times slower than one, and the worker uses one as well."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
