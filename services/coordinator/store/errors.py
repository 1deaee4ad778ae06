"""What a store raises."""


class StoreError(Exception):
    """Base of what a store raises."""


class NotFoundError(StoreError):
    """There is no such row."""


class AlreadyExistsError(StoreError):
    """There is such a row already, with other content."""


class StaleError(StoreError):
    """The attempt or epoch that asks has been superseded or has ended."""


class DeposedError(StoreError):
    """The lease under which it was to be written has another holder by now."""


class WrongStateError(StoreError):
    """The job's state doesn't allow it."""


class DataChangedError(StoreError):
    """The job's data isn't what it was when the job began."""


class SchemaError(StoreError):
    """The database's schema is newer than this server, or isn't ours."""


class UnavailableError(StoreError):
    """The database can't be reached, or stays locked. Asking again later may succeed."""
