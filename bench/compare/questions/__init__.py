"""Rows of the targets that need a measurement of their own, and what only Godwit is asked; each answers with numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from compare.questions import cores, depth, disk, idle, kafka_producer, urgent

# ask(executable, directory, quick): a directory that is empty; quick ones show that it works, in seconds.
Question = Callable[[Path, Path, bool], dict[str, Any]]
QUESTIONS: dict[str, Question] = {
    "disk": disk.ask,
    "cores": cores.ask,
    "kafka-producer": kafka_producer.ask,
    "depth": depth.ask,
    "idle": idle.ask,
    "urgent": urgent.ask,
}
