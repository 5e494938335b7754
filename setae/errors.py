"""The errors a person meets, and the exit code each one leaves behind.

Every message is one line: what went wrong, where, and what to do next. The command line prints the
message and ends with `exit_code`; Airflow tasks retry what `retryable` says and fail for good on
the rest. The codes are those of BSD `sysexits.h`, so that cron, systemd and shells know them.
"""

from __future__ import annotations

from datetime import datetime


class SetaeError(Exception):
    """Base of all errors with a message meant for people.

    Attributes:
        exit_code: What the process ends with.
        retryable: Whether the same call may succeed later without anybody changing anything.
    """

    exit_code = 1
    retryable = False


class SourceError(SetaeError):
    """A source could not be read (EX_UNAVAILABLE); `retryable` says whether later may do."""

    exit_code = 69

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class SourceBusy(SourceError):
    """A source asks to wait longer than a task should sleep (EX_TEMPFAIL).

    Attributes:
        retry_at: When it said it can be asked again, aware UTC; Airflow puts the task off until
            then, without using up one of its retries.
    """

    exit_code = 75

    def __init__(self, message: str, *, retry_at: datetime) -> None:
        super().__init__(message, retryable=True)
        self.retry_at = retry_at


class DataError(SetaeError):
    """Input that no repeat will mend: somebody has to look at the data (EX_DATAERR)."""

    exit_code = 65


class GateFailed(DataError):
    """A check of severity `error` failed; the last good publication stays where it is."""


class BuildFailed(DataError):
    """dbt could not build or test the models; the message names the first failing node."""


class StorageError(SetaeError):
    """Disk full, permission denied, or a damaged file (EX_IOERR)."""

    exit_code = 74
    retryable = True


class LeaseHeld(SetaeError):
    """Another process writes the warehouse, or has taken the lease over (EX_TEMPFAIL)."""

    exit_code = 75
    retryable = True


class ConfigError(SetaeError):
    """A setting is missing or wrong (EX_CONFIG)."""

    exit_code = 78
