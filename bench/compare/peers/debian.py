"""Debian packages of mail servers, unpacked beside each other, and run in a root directory of their own.

Mail servers exclude each other as packages, and have paths compiled in. So packages are fetched by apt-get, unpacked into a
folder, and run in a namespace of mounts and processes whose root has that folder, the machine's /usr, and an /etc and a
/var of its own. Nothing of the machine's is touched, and when the run ends all of it ends.
"""

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from support.process import Process

from compare.peers.peer import Missing

# Far from what a machine gives its own users.
FIRST_ID = 64_210
SERVER = "server"  # where the packages are, in the new root


def unpack(packages: list[str], folder: Path) -> str:
    """Has these packages of the machine's Debian in `folder`/root; returns the version of the first."""
    if os.geteuid() != 0:
        raise Missing("needs root")
    stamp = folder / "version"
    if not stamp.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for command in (["apt-get", "download", "-q", *packages], ["apt-get", "update", "-q"],
                        ["apt-get", "download", "-q", *packages]):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
            if done.returncode == 0 and "download" in command:
                break
        else:
            raise Missing(f"apt-get download {packages[0]}: {done.stderr.strip()[-300:]}")
        for package in packages:
            for file in sorted(folder.glob(f"{package}_*.deb")):
                subprocess.run(["dpkg", "-x", file, folder / "root"], check=True, timeout=60)
        version = subprocess.run(["dpkg-deb", "-f", next(folder.glob(f"{packages[0]}_*.deb")), "Version"],
                                 capture_output=True, text=True, check=True).stdout.strip()
        stamp.write_text(version)
    return stamp.read_text()


class Jail:
    """The root directory of one run. Fill `root` with what the server wants to find, then enter()."""

    def __init__(self, directory: Path, packages: Path, users: list[str]) -> None:
        self.directory, self._packages = directory, packages
        self.root = directory / "root"
        self.ids = {name: FIRST_ID + n for n, name in enumerate(users)}
        for folder in ("etc", "dev", "proc", "usr", "run", "tmp", "var/tmp", "var/lib", "var/log", "var/mail", "var/spool",
                       SERVER, "root"):
            (self.root / folder).mkdir(parents=True)
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            if Path("/", name).is_symlink():
                (self.root / name).symlink_to(f"usr/{name}")
        (self.root / "tmp").chmod(0o1777)
        (self.root / "var/run").symlink_to("/run")
        ids = {"root": 0, "nobody": 65534, **self.ids}
        self.write("etc/passwd", "".join(f"{name}:x:{number}:{number}:{name}:/:/bin/false\n" for name, number in ids.items()))
        self.write("etc/group", "".join(f"{name}:x:{number}:\n" for name, number in ids.items()))
        self.write("etc/hosts", "127.0.0.1 localhost\n")
        self.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n")
        self.write("etc/services", "smtp 25/tcp mail\n")
        # Name servers are not to be asked; if one is, nobody answers.
        self.write("etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        folders = sorted({f"/{SERVER}/{path.parent.relative_to(packages)}" for path in packages.rglob("*.so*")})
        self.write("etc/ld.so.conf", "".join(f"{folder}\n" for folder in folders))

    def write(self, path: str, text: str, mode: int = 0o644) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def folder(self, path: str, owner: str, group: str = "", mode: int = 0o755) -> None:
        made = self.root / path
        made.mkdir(parents=True, exist_ok=True)
        ids = {"root": 0, **self.ids}
        os.chown(made, ids[owner], ids[group or owner])
        made.chmod(mode)

    def enter(self, name: str, command: list[str], environment: Mapping[str, str] | None = None) -> Process:
        """Runs the command; it and all that it starts end with the returned process."""
        root, packages = shlex.quote(str(self.root)), shlex.quote(str(self._packages))
        script = self.directory / f"{name}.sh"
        # The shell stays: it is the parent of whatever loses its own, and has the time of those that ended.
        script.write_text(f"""\
set -e
mount --rbind /usr {root}/usr
mount --rbind /dev {root}/dev
mount --rbind /proc {root}/proc
mount --bind {packages} {root}/{SERVER}
ldconfig -r {root} 2>/dev/null
chroot {root} {shlex.join(command)} &
wait
""")
        return Process(name, ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "sh", script], self.directory,
                       environment={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(environment or {})})
