"""Completion in a shell: the script is loaded, and keys are pressed in a terminal."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_vft.cli import main

TIMEOUT = 20
# The shells print the words that the command would get.
SETUP = {
    "bash": "PS1=; source ./_vft; vft() { printf '<%s>' \"$@\"; echo; }",
    "zsh": "PS1=; fpath=($PWD $fpath); autoload compinit; compinit -u; vft() { printf '<%s>' \"$@\"; echo; }",
    "fish": "function fish_prompt; end; function vft; printf '<%s>' $argv; echo; end; source ./_vft",
}
START = {"bash": ["bash", "--norc", "-i"], "zsh": ["zsh", "-f", "-i"], "fish": ["fish", "--no-config", "-i"]}


def test_the_shell_may_follow_a_space(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--print-completion", "bash"])

    assert done.value.code == 0
    assert capsys.readouterr().out.endswith("complete -o bashdefault -F _vft vft pytest-vft\n\n")


def press(shell: str, keys: str, folder: Path) -> str:
    """Type *keys* in *shell*, where `vft` prints its words, and return what the terminal shows."""
    script = subprocess.run(
        [sys.executable, "-m", "pytest_vft", f"--print-completion={shell}"],
        check=True,
        capture_output=True,
        timeout=TIMEOUT,
    )
    (folder / "_vft").write_bytes(script.stdout)
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.environ.update(TERM="xterm", HISTFILE="", INPUTRC="/dev/null", HOME=str(folder))
        os.execvp(START[shell][0], START[shell])  # noqa: S606 - a shell is tested
    shown = ""
    try:
        os.write(terminal, f"{SETUP[shell]}; echo rea''dy\n".encode())
        shown += read_until(terminal, "ready")
        os.write(terminal, keys.encode())
        shown = read_until(terminal, ">\r\n")
    finally:
        os.close(terminal)
        os.waitpid(process, 0)
    return shown


def read_until(terminal: int, text: str) -> str:
    shown, end = b"", time.monotonic() + TIMEOUT
    while text.encode() not in shown:
        assert time.monotonic() < end, shown.decode()
        shown += os.read(terminal, 65536)
    return shown.decode()


@pytest.mark.parametrize("shell", START)
def test_commands_options_and_names_are_completed(shell: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "train.jsonl").touch()
    keys = "vft che\t--provid\ttogeth\t--select image/trunc\ttrai\t\n"

    provider = "<--provider=together>" if shell == "zsh" else "<--provider><together>"
    expected = f"<check>{provider}<--select><image/truncated><train.jsonl>"
    assert expected in press(shell, keys, tmp_path)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_values_after_an_equals_sign_are_completed(shell: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    keys = "vft check --provider=togeth\t--data-format=llama\t\n"

    assert "<check><--provider=together><--data-format=llamafactory>" in press(shell, keys, tmp_path)


def test_values_after_a_comma_are_completed_in_bash(tmp_path: Path) -> None:
    keys = "vft check --select=line,image/trunc\t --select image,line/not-u\t\n"

    assert "<--select=line,image/truncated><--select><image,line/not-utf8>" in press("bash", keys, tmp_path)
