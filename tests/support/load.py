"""Many clients that send until told to stop, and remember what was promised to them."""

import smtplib
import threading
from collections.abc import Callable

from support.mail import Client, message


class Load:
    """`clients` threads, each sending one mail after the other, every mail to a recipient of its own.

    acknowledged: recipient -> message id, for mail that was answered 250. refused: other answers to whole mails.
    A client whose connection ends without an answer stops; what it had under way is in `unanswered`.
    """

    def __init__(self, server: tuple[str, int], clients: int = 8, *, tag: str = "", size: int = 1000,
                 domain: str = "example.test", keep_going: Callable[[int], bool] = lambda code: True) -> None:
        self._server, self._tag, self._domain = server, tag, domain
        self._body = ("0123456789" * 7 + "\r\n") * (size // 72 + 1)
        self._keep_going = keep_going
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.acknowledged: dict[str, str] = {}
        self.refused: list[tuple[int, str]] = []
        self.unanswered: list[str] = []
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        sent = 0
        recipient = ""
        try:
            with Client(self._server) as client:
                while not self._stop.is_set():
                    recipient = f"{self._tag}c{number}n{sent}@{self._domain}"
                    sent += 1
                    try:
                        message_id = client.submit(message(recipient, self._body), "ann@sender.test", recipient)
                    except smtplib.SMTPResponseException as refusal:
                        self._note_refusal(refusal.smtp_code, refusal.smtp_error)
                        if not self._keep_going(refusal.smtp_code) or refusal.smtp_code == 421:
                            return
                        client.rset()
                        continue
                    with self._lock:
                        self.acknowledged[recipient] = message_id
                    recipient = ""
        except (OSError, smtplib.SMTPException):
            with self._lock:
                if recipient:
                    self.unanswered.append(recipient)

    def _note_refusal(self, code: int, text: bytes | str) -> None:
        with self._lock:
            self.refused.append((code, text.decode() if isinstance(text, bytes) else text))

    def count(self) -> int:
        with self._lock:
            return len(self.acknowledged)

    def join(self, seconds: float = 60) -> None:
        """Waits for the clients: after stop(), or when the server has gone away."""
        for thread in self._threads:
            thread.join(seconds)
            assert not thread.is_alive(), "a client still waits for an answer"

    def stop(self, seconds: float = 60) -> None:
        self._stop.set()
        self.join(seconds)

    def close(self) -> None:
        self._stop.set()
