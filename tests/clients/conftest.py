import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ready():
    local = subprocess.Popen(["cargo", "local", "--json", "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(local.stdout.readline())
    finally:
        local.terminate()
        local.wait()
