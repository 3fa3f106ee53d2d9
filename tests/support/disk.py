"""A small disk of its own for one directory."""

import errno
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

    def fill(self) -> None:
        """Takes all that is free."""
        with (self.directory / "filler").open("ab") as filler:
            piece = 1 << 20
            while piece >= 4096:
                try:
                    os.posix_fallocate(filler.fileno(), os.fstat(filler.fileno()).st_size, piece)
                except OSError as full:
                    if full.errno != errno.ENOSPC:
                        raise
                    piece //= 2

    def free(self) -> None:
        """What fill() took."""
        (self.directory / "filler").unlink(missing_ok=True)

    def free_mebibytes(self) -> int:
        return shutil.disk_usage(self.directory).free >> 20

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.directory)], check=True)
