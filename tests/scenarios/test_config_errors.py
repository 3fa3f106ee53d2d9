"""A wrong configuration is told by file, line and key, with what would be right, all of it at once."""

import re
import subprocess
from pathlib import Path

import pytest

GOOD = """\
cluster: demo
data_dir: ./data
ingress:
  smtp:
    - {listen: "127.0.0.1:0", kind: relay, trusted_networks: [127.0.0.0/8]}
  http: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
observe: {listen: "127.0.0.1:0"}
"""


def godwit(executable: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(executable), *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          check=False)


def check(executable: Path, directory: Path, text: str) -> "subprocess.CompletedProcess[str]":
    file = directory / "godwit.yaml"
    file.write_text(text)
    return godwit(executable, "check", "-c", file)


def test_a_good_file(executable: Path, tmp_path: Path) -> None:
    done = check(executable, tmp_path, GOOD)
    assert done.returncode == 0, done.stderr


# name: (line to put in place of another, what the message must say: place, key, advice)
WRONG = {
    "misspelt key": ("data_dir: ./data", "data_dri: ./data", r"godwit\.yaml:2:\d+: .*data_dri.*data_dir"),
    "wrong type": ("cluster: demo", "cluster: [demo]", r"godwit\.yaml:1:\d+: .*cluster"),
    "wrong kind": ("kind: relay", "kind: rely", r"godwit\.yaml:5:\d+: .*ingress\.smtp\[0\]\.kind.*relay"),
    "no address": ('"127.0.0.1:0", kind', '"somewhere", kind', r"godwit\.yaml:5:\d+: .*ingress\.smtp\[0\]\.listen"),
    "host bits": ("[127.0.0.0/8]", "[127.0.0.1/8]", r"godwit\.yaml:5:\d+: .*trusted_networks"),
    "twice": ("data_dir: ./data", "data_dir: ./data\ndata_dir: ./other", r"godwit\.yaml:3:\d+: .*data_dir"),
    "no unit": ("cluster: demo", "sender: {retry: {first: 20}}", r"godwit\.yaml:1:\d+: .*sender\.retry\.first.*"),
    "not YAML": ("cluster: demo", "cluster: [demo", r"godwit\.yaml:\d+:\d+: "),
}


@pytest.mark.parametrize(("good", "wrong", "expected"), WRONG.values(), ids=WRONG.keys())
def test_check_names_the_place(executable: Path, tmp_path: Path, good: str, wrong: str, expected: str) -> None:
    assert good in GOOD
    done = check(executable, tmp_path, GOOD.replace(good, wrong))
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(expected, done.stdout + done.stderr), done.stdout + done.stderr


def test_all_problems_at_once(executable: Path, tmp_path: Path) -> None:
    text = GOOD.replace("cluster: demo", "clutser: demo").replace("kind: relay", "kind: rely")
    done = check(executable, tmp_path, text)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "clutser" in said and "rely" in said


def test_run_does_not_start_with_a_wrong_file(executable: Path, tmp_path: Path) -> None:
    (tmp_path / "godwit.yaml").write_text(GOOD.replace("data_dir", "data_dri"))
    done = godwit(executable, "run", "-c", tmp_path / "godwit.yaml")
    assert done.returncode == 3
    assert "data_dri" in done.stderr
    assert done.stdout == "", "standard output has the ready line and nothing else"
    assert not (tmp_path / "data").exists()


def test_a_wrong_control_file(executable: Path, tmp_path: Path) -> None:
    (tmp_path / "control.yaml").write_text("tenants:\n  - name: acme\n    pool: nowhere\n")
    done = check(executable, tmp_path, GOOD + "control: {file: control.yaml}\n")
    assert done.returncode == 1
    assert re.search(r"control\.yaml:3:\d+: .*pool.*nowhere", done.stdout + done.stderr), done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [["frobnicate"], ["run"], ["run", "--frobnicate"], ["check", "-c"]])
def test_wrong_usage(executable: Path, arguments: list[str]) -> None:
    done = godwit(executable, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr


def test_no_such_file(executable: Path, tmp_path: Path) -> None:
    done = godwit(executable, "run", "-c", tmp_path / "none.yaml")
    assert done.returncode == 3
    assert "none.yaml" in done.stderr


def test_an_address_in_use(start_godwit, executable: Path, tmp_path: Path) -> None:
    running = start_godwit()
    host, port = running.relay
    (tmp_path / "second.yaml").write_text(GOOD.replace("127.0.0.1:0\", kind", f"{host}:{port}\", kind"))
    done = godwit(executable, "run", "-c", tmp_path / "second.yaml")
    assert done.returncode == 3
    assert str(port) in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["check", "--help"], ["events", "--help"],
                                       ["audit", "--help"], ["capture", "--help"], ["bench", "--help"]])
def test_help(executable: Path, arguments: list[str]) -> None:
    done = godwit(executable, *arguments)
    assert done.returncode == 0
    assert "--help" in done.stdout


def test_version(executable: Path) -> None:
    done = godwit(executable, "--version")
    assert done.returncode == 0
    assert re.search(r"\d+\.\d+\.\d+", done.stdout)


def test_defaults_are_a_good_file(executable: Path, tmp_path: Path) -> None:
    printed = godwit(executable, "defaults")
    assert printed.returncode == 0
    done = check(executable, tmp_path, printed.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
