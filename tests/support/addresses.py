"""Free ports for servers that cannot choose one themselves."""

import os
import random
import socket

# Below the range the kernel takes ports of outgoing connections from, so that none of those is in the way
# between our looking and the server's binding.
_LOW, _HIGH = 20_000, 32_000
_random = random.Random(os.getpid())


def free_port(host: str = "127.0.0.1") -> int:
    for _ in range(200):
        port = _random.randrange(_LOW, _HIGH)
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind((host, port))
        except OSError:
            continue
        return port
    raise AssertionError(f"no free port on {host} between {_LOW} and {_HIGH}")


