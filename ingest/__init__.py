"""The command line of Bilderatlas: from a folder of pictures to a database of features and attention."""

__version__ = "0.1.0"
