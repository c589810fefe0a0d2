"""What can go wrong with the database. Every message is a sentence that says what to do."""


class StoreError(Exception):
    """Anything the store cannot do; the message is meant for the person at the keyboard."""


class DatabaseMissing(StoreError):
    """There is no file at this path."""


class NotADatabase(StoreError):
    """The file is no DuckDB database, or one that something other than Bilderatlas made."""


class DatabaseLocked(StoreError):
    """Another process, or another part of this one, kept the file for longer than we waited."""


class DatabaseNewer(StoreError):
    """The file was made by a newer Bilderatlas or DuckDB than this one."""


class DatabaseOlder(StoreError):
    """The file waits for migrations, which only a writer can apply."""


class InterruptedCheckpoint(StoreError):
    """A checkpoint was killed, and only a writer may put back what it has written over."""


class NoRoom(StoreError):
    """The disk is full, or the file may not become longer; what was committed before is safe."""


class SqlRefused(StoreError):
    """The sandbox does not run this kind of statement."""


class SqlFailed(StoreError):
    """DuckDB could not run the statement, or it needed more memory than it may have."""


class SqlTimeout(StoreError):
    """The statement took longer than it may."""
