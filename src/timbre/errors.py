"""The mistakes a user can make and mend, each with the exit code the command line gives it."""


class TimbreError(ValueError):
    """Something the user can put right; its text is one clear line: what, with what, what to do."""

    exit_code = 2


class NoModelError(TimbreError):
    """There is no model where one was looked for."""

    exit_code = 3


class GateRefusedError(TimbreError):
    """A promotion gate refused a model version; the text gives the reasons."""

    exit_code = 4
