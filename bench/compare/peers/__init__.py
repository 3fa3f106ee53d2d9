"""Every server of the comparison, in the order of the table."""

from pathlib import Path

from compare.peers.direct import Direct
from compare.peers.exim import Exim
from compare.peers.godwit import Embedded, OnKafka
from compare.peers.haraka import Haraka
from compare.peers.opensmtpd import OpenSmtpd
from compare.peers.peer import Peer
from compare.peers.postfix import Postfix


def make_peers(executable: Path, directory: Path) -> list[Peer]:
    """Brokers keep what they have below `directory`."""
    return [Embedded(executable), OnKafka(executable, 1, directory), OnKafka(executable, 3, directory), Postfix(), Exim(),
            OpenSmtpd(), Haraka(), Direct(executable)]


# Every name, and what the tables call it.
TITLES = {"godwit": "Godwit", "godwit-kafka-1": "Godwit, 1 Kafka broker", "godwit-kafka-3": "Godwit, 3 Kafka brokers",
          "postfix": "Postfix", "exim": "Exim", "opensmtpd": "OpenSMTPD", "haraka": "Haraka",
          "direct": "no server: generator into sink"}
