"""What keeps a release from being made."""


class ReleaseError(Exception):
    """Nothing was changed, tagged or written; the text says what to do."""
