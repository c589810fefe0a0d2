"""What the tests of several rooms share: makers of files, the command line, questions to a database."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PAINTINGS = ROOT / "examples" / "paintings"
