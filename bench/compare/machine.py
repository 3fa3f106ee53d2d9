"""What this ran on."""

import os
import platform
import subprocess
import time
from pathlib import Path


def machine(directory: Path) -> str:
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kind = subprocess.run(["findmnt", "-n", "-o", "FSTYPE", "-T", directory], capture_output=True, text=True,
                          check=False).stdout.strip()
    return (f"{time.strftime('%Y-%m-%d')}: {len(os.sched_getaffinity(0))} CPUs ({model}), {memory:.0f} GiB, {kind}, "
            f"Linux {platform.release()}, load average {os.getloadavg()[0]:.1f} at the start")
