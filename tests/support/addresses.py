"""Free ports for servers that cannot choose one themselves."""

import os
import random
import re
import socket

# Below the range the kernel takes ports of outgoing connections from, so that none of those is in the way
# between our looking and the server's binding. Tests that run side by side look in different places.
_LOW, _HIGH, _WORKERS = 12_000, 32_000, 16
# 0: whoever is no worker, such as the process that hands out the work.
_worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or -1) + 1
_worker %= _WORKERS
_random = random.Random(os.getpid())
_given: set[int] = set()


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody uses, and that no earlier call in this process gave away."""
    size = (_HIGH - _LOW) // _WORKERS
    for _ in range(500):
        port = _LOW + _worker * size + _random.randrange(size)
        if port in _given:
            continue
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind((host, port))
        except OSError:
            continue
        _given.add(port)
        return port
    raise AssertionError(f"no free port on {host} for worker {_worker}")
