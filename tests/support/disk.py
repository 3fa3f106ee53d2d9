"""A small disk of its own for one directory."""

import os
import shutil
import subprocess
from pathlib import Path


class SmallDisk:
    """A tmpfs of `mebibytes`, mounted on `directory` (which it makes). Needs root."""

    def __init__(self, directory: Path, mebibytes: int) -> None:
        assert os.geteuid() == 0, "mounting needs root"
        self.directory = directory
        directory.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(directory)], check=True)

    def free_mebibytes(self) -> int:
        return shutil.disk_usage(self.directory).free >> 20

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.directory)], check=True)
