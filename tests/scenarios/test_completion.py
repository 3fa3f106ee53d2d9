"""Completion in real shells offers what the commands say of themselves."""

import re
import subprocess
from pathlib import Path

import pytest

# A line of input is the words of a command line, split by blanks; "@" is an empty one and "_" stands for a blank.
BASH = """
source <("$1" completion bash)
while read -r line; do
  COMP_WORDS=(godwit $line)
  COMP_WORDS=("${COMP_WORDS[@]/#@/}")
  COMP_WORDS=("${COMP_WORDS[@]//_/ }")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _godwit
  (IFS='|'; echo "${COMPREPLY[*]}")
done
"""
# Inside of a real line editor, on a terminal of its own: what is on the line after a TAB.
ZSH = r"""
zmodload zsh/zpty
zpty shell 'PS1= TERM=dumb zsh -f -i'
zpty -w shell 'autoload -Uz compinit && compinit -u -D; zstyle ":completion:*" list-prompt ""'
zpty -w shell 'source <('"$1"' completion zsh); print -r -- re""ady'
zpty -r shell line '*ready*'
zpty -n -w shell "$2"$'\t'
zpty -n -w shell $'\C-a: \C-e; print -r -- do""ne\n'
zpty -r shell line '*done*'
zpty -d shell
print -r -- "$line"
"""


def bash(executable: Path, *lines: str, cwd: Path | None = None) -> list[set[str]]:
    done = subprocess.run(["bash", "--norc", "-c", BASH, "bash", str(executable)], input="".join(f"{line}\n" for line in lines),
                          capture_output=True, text=True, timeout=60, check=True, cwd=cwd)
    assert not done.stderr, done.stderr
    return [set(filter(None, line.split("|"))) for line in done.stdout.splitlines()]


def commands_of(executable: Path, *path: str) -> tuple[set[str], set[str]]:
    """Subcommands and options, from --help."""
    text = subprocess.run([str(executable), *path, "--help"], capture_output=True, text=True, timeout=60,
                          check=True).stdout
    below = text.split("Subcommands:\n")[1] if "Subcommands:\n" in text else ""
    options = text.split("Options:\n")[1].split("\n\n")[0] if "Options:\n" in text else ""
    return (set(re.findall(r"^  ([a-z][a-z-]*)", below, re.MULTILINE)),
            set(re.findall(r"(?:^  |,)(--?[a-z][a-z-]*)", options, re.MULTILINE)))


def test_every_command_and_option_is_offered(executable: Path) -> None:
    known = {(): commands_of(executable)}
    paths: list[tuple[str, ...]] = [()]
    for path in paths:
        below = [(*path, command) for command in known[path][0]]
        known |= {path: commands_of(executable, *path) for path in below}
        paths += below
    assert len(paths) > 40, paths
    options = bash(executable, *(" ".join((*path, "-")) for path in paths))
    assert dict(zip(paths, options, strict=True)) == {path: known[path][1] for path in paths}
    parents = [path for path in paths if known[path][0]]
    commands = bash(executable, *(" ".join((*path, "@")) for path in parents))
    assert dict(zip(parents, commands, strict=True)) == {path: known[path][0] for path in parents}


def test_what_bash_offers(executable: Path, tmp_path: Path) -> None:
    (tmp_path / "a file.yaml").touch()
    (tmp_path / "b.yaml").touch()
    offered: dict[str, set[str]] = {
        "ct": {"ctl"},
        "ctl dr": {"drain"},
        "ctl drain --le": {"--leave"},
        "ctl drain --reason ctl --le": {"--leave"},  # a value is no command
        "ctl drain --reason @": set(),
        "ctl dead r": {"retry"},
        "ctl info -c @": {"a file.yaml", "b.yaml"},
        "ctl info -c a_f": {"a file.yaml"},
        "ctl info --config = b": {"b.yaml"},  # how bash splits --config=b
        "ctl info --config =": {"a file.yaml", "b.yaml"},
        "classify b": {"b.yaml"},
        "no-such-command ctl dr": {"drain"},  # what is not known is passed over
        "no-such-command x": set(),
    }
    assert dict(zip(offered, bash(executable, *offered, cwd=tmp_path), strict=True)) == offered


@pytest.mark.parametrize(("line", "becomes"), [
    ("godwit ct", "godwit ctl "),
    ("godwit ctl held de", "godwit ctl held delivered "),
    ("godwit ctl drain --reason drain --lea", "godwit ctl drain --reason drain --leave "),
    ("godwit check -c b", "godwit check -c b.yaml "),
])
def test_what_zsh_makes_of_a_line(executable: Path, tmp_path: Path, line: str, becomes: str) -> None:
    (tmp_path / "b.yaml").touch()
    done = subprocess.run(["zsh", "-f", "-c", ZSH, "zsh", str(executable), line], capture_output=True, text=True,
                          timeout=60, check=True, cwd=tmp_path)
    assert becomes in done.stdout, done.stdout + done.stderr
