"""Computations that end the process they run in, as native code can."""

import os
import resource
import signal
import sys
import time

import numpy as np

from ingest.vision import progress


def segfault(vectors: np.ndarray, settings: dict) -> None:
    """A real SIGSEGV."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), signal.SIGSEGV)


def abort(vectors: np.ndarray, settings: dict) -> None:
    """What C++ does with an exception that nobody catches."""
    sys.stderr.write("terminate called after throwing an instance of 'std::bad_alloc'\n")
    sys.stderr.flush()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.abort()


def killed(vectors: np.ndarray, settings: dict) -> None:
    """What the system does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail(vectors: np.ndarray, settings: dict) -> None:
    """An exception, as libraries raise for what they cannot take."""
    raise ValueError("these\nvectors are no good")


def exit_early(vectors: np.ndarray, settings: dict) -> None:
    """An end without a signal."""
    os._exit(3)


def hang(path: str) -> None:
    """Longer than anybody waits; first the number of its process goes into a file."""
    with open(f"{path}.part", "w") as file:
        file.write(str(os.getpid()))
    os.replace(f"{path}.part", path)
    time.sleep(600)


def whisper(text: str) -> str:
    """Prints where the answers go."""
    print("a library's own words")
    return text.upper()


def halfway(result: str) -> str:
    """Reports how far it is before it is through."""
    for share in (0.25, 0.5):
        progress.report(share)
    return result
