"""How a command says that it cannot be carried out: one sentence on stderr, exit code 2."""


class RefusedError(Exception):
    """Bad input or a missing thing outside; the text is one sentence for a person that says what to do."""
