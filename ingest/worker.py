"""A process of its own for computations in native code (UMAP, t-SNE, HDBSCAN): where such code crashes, or the system
ends it for want of memory, the work of this process goes on, and knows why.

The process is started when it is first needed and serves all calls; after a crash the next call starts another.
"""

from __future__ import annotations

import atexit
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from ingest.vision import progress

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "ingest.worker_child"]
LONGEST = 300  # characters of a complaint
MEANING = {
    "SIGSEGV": "a segmentation fault in native code",
    "SIGBUS": "a memory error in native code",
    "SIGABRT": "native code that gave up",
    "SIGFPE": "an arithmetic error in native code",
    "SIGILL": "an instruction that this processor does not know",
    "SIGKILL": "the system killed it, as it does when memory runs out",
}


class WorkerError(Exception):
    """A computation that gave no result; its text says why, as a clause without a full stop."""


class Worker:
    """A process that computes. Calls from several threads wait for each other."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints: Any = None
        self._turn = threading.Lock()

    def call(self, function: Callable, *arguments: Any) -> Any:
        """What a function, one that a module has at its top, returns for the arguments. What it reports of how far it
        is (`ingest.vision.progress`) is reported here. Raises WorkerError if it raises anything there, or ends the
        process."""
        order = pickle.dumps(function)  # raises here, before the process has heard half of it
        with self._turn:
            process = self._ready()
            try:
                good, answer = _asked(process, order, arguments)
            except (EOFError, OSError, pickle.UnpicklingError):
                raise WorkerError(self._died(process)) from None
            except BaseException:  # Ctrl-C: what is half computed is of no use
                self.close()
                raise
        if not good:
            raise WorkerError(_shortened(answer))
        return answer

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in (*_pipes(process), self._complaints):
                with suppress(OSError):  # what the pipe still holds has no reader any more
                    stream.close()

    def _ready(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.close()  # it died while it had nothing to do
        if self._process is None:
            # In a file, since nobody reads a pipe meanwhile; libraries warn there of what they are asked for.
            self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 (it is closed with the process)
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._complaints}
            self._process = subprocess.Popen(COMMAND, cwd=ROOT, **pipes)
        return self._process

    def _died(self, process: subprocess.Popen[bytes]) -> str:
        """Why the process is no more."""
        order, _ = _pipes(process)
        with suppress(OSError):
            order.close()  # whatever is left of it ends now
        try:
            code = process.wait(5)
        except subprocess.TimeoutExpired:
            code = None
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        self.close()
        return _reason(code, lines[-1] if lines else "")


def call(function: Callable, *arguments: Any) -> Any:
    """`Worker.call` of the worker that this process shares."""
    return _shared().call(function, *arguments)


@cache
def _shared() -> Worker:
    worker = Worker()
    atexit.register(worker.close)
    return worker


def _asked(process: subprocess.Popen[bytes], function: bytes, arguments: tuple) -> tuple[bool, Any]:
    order, answers = _pipes(process)
    order.write(function)
    pickle.dump(arguments, order, protocol=5)
    order.flush()
    good, answer = pickle.load(answers)
    while good is None:
        progress.report(answer)
        good, answer = pickle.load(answers)
    return good, answer


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    """What the process reads its orders from, and where it writes its answers."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("the worker was started without pipes")
    return process.stdin, process.stdout


def _reason(code: int | None, complaint: str) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        reason = f"its process ended with {name}" + (f" ({MEANING[name]})" if name in MEANING else "")
    else:
        reason = f"its process ended with exit code {code}"
    # Only native code that gives up says why; else the last line may be any library's warning.
    return reason + (f": {_shortened(complaint)}" if complaint and code not in (-9, -11, -7) else "")


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
