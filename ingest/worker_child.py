"""The process that `ingest.worker` starts: `python -m ingest.worker_child`.

Reads orders from standard input, each a function and its arguments as pickles, and answers on standard output with
(True, result) or (False, what went wrong), before which may come (None, share) as often as the function reports how far
it is. It imports little by itself: what a function needs comes with it.
"""

import contextlib
import os
import pickle
import signal
import sys
from typing import Any, BinaryIO

from ingest.vision import progress


def main() -> None:
    """Answer orders until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends this process
    _end_with_parent()
    orders, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not come between the answers
    while True:
        try:
            function = pickle.load(orders)
        except EOFError:
            return
        except Exception as error:
            pickle.load(orders)
            answer = False, _described(error)
        else:
            with progress.listening(lambda share: _send(answers, (None, share))):
                answer = _answer(function, orders)
        _send(answers, answer)


def _answer(function: Any, orders: BinaryIO) -> tuple[bool, Any]:
    try:
        return True, function(*pickle.load(orders))
    except Exception as error:
        return False, _described(error)


def _send(answers: BinaryIO, answer: tuple[bool | None, Any]) -> None:
    try:
        data = pickle.dumps(answer, protocol=5)
    except Exception as error:
        data = pickle.dumps((False, _described(error)))
    answers.write(data)
    answers.flush()


def _described(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return f"there was not enough memory ({error})" if str(error) else "there was not enough memory"
    return f"{type(error).__name__}: {error}"


def _end_with_parent() -> None:
    """Where the parent is killed, this process ends as well, even in the middle of native code (Linux)."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


if __name__ == "__main__":
    main()
