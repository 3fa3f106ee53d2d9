"""A short run of chaos.py with a fixed seed; make chaos has long ones with new seeds."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SEED = 20261122
SECONDS = 60
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(600)
def test_nothing_is_lost(executable: Path, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    # In a process of its own, since it enters a network of its own.
    result = tmp_path / "reliability.json"
    run = subprocess.Popen([sys.executable, ROOT / "tests/cluster/chaos.py", f"--godwit={executable}", f"--seed={SEED}",
                            f"--minutes={SECONDS / 60}", "--calm=5", "--rate=60", f"--out={result}",
                            f"--directory={tmp_path / 'chaos'}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said, _ = run.communicate(timeout=500)
    finally:
        run.terminate()  # it ends what it has started
        run.wait(60)
    print(said)
    outcome: dict[str, Any] = json.loads(result.read_text()) if result.exists() else {}
    record_property("outcome", json.dumps(outcome))
    assert run.returncode == 0, said.splitlines()[-5:]
    assert outcome["acknowledged"] > SECONDS, "hardly any load"
