import atexit
import os
import sys

from ingest.cli import main


def _be_quiet() -> None:
    """The process ends now, and all has been said. What DuckDB's binding has to say of connections that a thread still
    holds is of no use to anybody, and would push the last line off the screen."""
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


if __name__ == "__main__":
    atexit.register(_be_quiet)  # the first to be registered is the last to be called
    main()
