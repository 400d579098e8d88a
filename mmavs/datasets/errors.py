"""What a loader raises, whatever is in the files of a data set."""


class DataError(ValueError):
    """A file of a data set breaks a rule.

    The message names the file and the rule.
    """


class MissingDataError(DataError, FileNotFoundError):
    """A file of a data set is not there."""
