"""The process of a job: runs the command that it is given, and writes down how it ended.

`python child.py LOCK FOLDER COMMAND …` leaves the exit status in FOLDER/status. A Ctrl+C goes to the command alone, and
the command too holds the file descriptor LOCK.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path


def main(lock: str, folder: str, *command: str) -> None:
    # A handler is not passed on to the command, as SIG_IGN would be: there Ctrl+C means what it always does.
    signal.signal(signal.SIGINT, lambda *_: None)
    status = subprocess.run(command, check=False, pass_fds=(int(lock),)).returncode
    unfinished = Path(folder) / "status.part"
    unfinished.write_text(str(status))
    os.replace(unfinished, Path(folder) / "status")


if __name__ == "__main__":
    main(*sys.argv[1:])
