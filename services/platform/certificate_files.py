"""The files of a TLS client, named by settings: certificates of an authority, and our own."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from services.platform.errors import ConfigurationError
from services.platform.secret_files import require_readable


class CertificateFile(NamedTuple):
    """One of the files: what the client calls it, and the setting that names it, or does not."""

    option: str
    setting: str
    path: Path | None


def file_options(
    authority: CertificateFile,
    certificate: CertificateFile,
    key: CertificateFile,
    no_tls: str | None,
) -> dict[str, str]:
    """The client's options for the files that are named.

    ``no_tls`` says why there is no TLS that they could be for; None where there is. Raises
    `ConfigurationError`, naming the setting, where a file is named in vain, cannot be read, or
    lacks its other half.
    """
    named = [one for one in (authority, certificate, key) if one.path is not None]
    if named and no_tls is not None:
        raise ConfigurationError(f"{named[0].setting} is set, but {no_tls}")
    if (certificate.path is None) != (key.path is None):
        raise ConfigurationError(
            f"{certificate.setting} and {key.setting} go together: set both or neither"
        )
    options = {}
    for option, setting, path in named:
        assert path is not None
        require_readable(setting, path)
        options[option] = str(path)
    return options
