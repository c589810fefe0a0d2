"""What no user should do and some will: kill an ingest, fill the disk, read all the while, type hostile SQL.

`make torture` does it for long and prints a table; the tests do the same for some seconds.
"""
