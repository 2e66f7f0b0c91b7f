"""Certificates made on a fixed day."""

from pathlib import Path

import pytest

from control.tls.development import Made, make_certificates
from tests.control.tls.days import MADE_MS


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make_certificates(tmp_path / "tls", ["Nas.local", "192.168.1.5"], MADE_MS)
