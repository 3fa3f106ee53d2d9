"""What the disk takes when nothing else is in the way: large writes into a file that has its blocks, each synced."""

import os
import time
from pathlib import Path
from typing import Any

WRITE_OCTETS = 1 << 20
SECONDS = 3
FILE_OCTETS = 256 << 20


def ask(executable: Path, directory: Path, quick: bool) -> dict[str, Any]:
    file = directory / "disk"
    block = os.urandom(WRITE_OCTETS)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for offset in range(0, FILE_OCTETS, WRITE_OCTETS):
            os.pwrite(descriptor, block, offset)
        os.fsync(descriptor)
        result: dict[str, Any] = {}
        for name, octets in (("octets_per_second", WRITE_OCTETS), ("syncs_per_second", 4096)):
            writes, begun = 0, time.monotonic()
            while (taken := time.monotonic() - begun) < (1 if quick else SECONDS):
                os.pwrite(descriptor, block[:octets], writes * octets % FILE_OCTETS)
                os.fdatasync(descriptor)
                writes += 1
            result[name] = writes / taken * (octets if name == "octets_per_second" else 1)
        return result
    finally:
        os.close(descriptor)
        file.unlink()
