"""The one exception that a person is meant to read."""


class InputError(ValueError):
    """Something the user gave is wrong.

    The message says what was wrong, in which file and row, and what would be right. Scripts show
    it without a traceback and exit with code 1.
    """
