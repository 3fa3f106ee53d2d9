"""A real Postfix with configuration, queue and log of its own; nothing of the machine's is touched. Needs root."""

import os
import pwd
import signal
from pathlib import Path

from support.addresses import free_port
from support.process import Process, let_others_in
from support.waiting import wait_until

# service type private unprivileged chroot wakeup maxproc command
_MASTER = """\
{address} inet n - n - {smtpd_max} smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - {smtp_max} smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
tlsproxy unix - - n - 0 tlsproxy
"""


class PostfixServer:
    """Takes mail for `domain` into a Maildir. `settings` are lines of main.cf that come last and so win."""

    def __init__(self, directory: Path, domain: str = "postfix.test", *, settings: str = "", name: str = "postfix",
                 smtpd_max: str = "-", smtp_max: str = "-") -> None:
        assert os.geteuid() == 0, "Postfix's master needs root"
        self.host, self.port = "127.0.0.1", free_port()
        root = directory / name
        config, self._queue, data, self._mailboxes = (root / part for part in ("etc", "queue", "lib", "mail"))
        for folder in (config, self._queue, data, self._mailboxes):
            folder.mkdir(parents=True)
        owner = pwd.getpwnam("postfix")
        os.chown(data, owner.pw_uid, owner.pw_gid)
        os.chown(self._mailboxes, owner.pw_uid, owner.pw_gid)
        let_others_in(root)
        self.log = root / "log"
        (config / "main.cf").write_text(f"""\
compatibility_level = 3.6
queue_directory = {self._queue}
data_directory = {data}
maillog_file = {self.log}
maillog_file_prefixes = {root}
multi_instance_name = {name}
myhostname = mx.{domain}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {self._mailboxes}
virtual_mailbox_maps = static:inbox/
virtual_minimum_uid = 1
virtual_uid_maps = static:{owner.pw_uid}
virtual_gid_maps = static:{owner.pw_gid}
smtpd_recipient_restrictions = reject_unauth_destination
{settings}
""")
        (config / "master.cf").write_text(_MASTER.format(address=f"127.0.0.1:{self.port}", smtpd_max=smtpd_max,
                                                         smtp_max=smtp_max))
        self.process = Process(name, ["postfix", "-c", config, "start-fg"], directory,
                               environment={"MAIL_CONFIG": str(config)})
        wait_until(lambda: self.process.listens(self.port) or self.process.status is not None, 30,
                   lambda: f"Postfix listens:\n{self.process.errors()}\n{self.log_text()}")
        assert self.process.status is None, f"Postfix ended:\n{self.process.errors()}\n{self.log_text()}"

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def mails(self) -> list[bytes]:
        """The mails in the mailbox, as Postfix wrote them: with LF line ends."""
        inbox = self._mailboxes / "inbox" / "new"
        return [path.read_bytes() for path in sorted(inbox.iterdir())] if inbox.is_dir() else []

    def close(self) -> None:
        # Without a maillog_file Postfix's master leaves the session it was started in.
        pid_file = self._queue / "pid" / "master.pid"
        master = int(pid_file.read_text()) if pid_file.exists() else None
        if self.process.status is None:
            self.process.terminate()
        self.process.clean_up()
        if master and master != self.process.pid and self._is_ours(master):
            os.kill(master, signal.SIGTERM)
            wait_until(lambda: not self._is_ours(master), 20, "the end of Postfix's master")

    def _is_ours(self, pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/cwd").resolve() == self._queue
        except OSError:
            return False
