"""Files of a TLS client: what is named in vain, half, or cannot be read is told by its setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.platform.certificate_files import CertificateFile, file_options
from services.platform.errors import ConfigurationError

NO_TLS = "WATTOKEN_X_SECURE is not: set it to true"


def options(folder: Path, *named: str, no_tls: str | None = None, gone: str = "") -> dict[str, str]:
    """The options where the files ``named`` are named, and all of them are there but one."""
    files = {
        name: CertificateFile(f"{name}_option", f"WATTOKEN_X_{name.upper()}_FILE", None)
        for name in ("ca", "certificate", "key")
    }
    for name in named:
        path = folder / f"{name}.pem"
        if name != gone:
            path.write_text(name)
        files[name] = files[name]._replace(path=path)
    return file_options(files["ca"], files["certificate"], files["key"], no_tls)


def test_what_is_named_is_given_as_the_client_calls_it(tmp_path: Path) -> None:
    assert options(tmp_path, "ca", "certificate", "key") == {
        "ca_option": str(tmp_path / "ca.pem"),
        "certificate_option": str(tmp_path / "certificate.pem"),
        "key_option": str(tmp_path / "key.pem"),
    }
    assert options(tmp_path, "ca") == {"ca_option": str(tmp_path / "ca.pem")}


@pytest.mark.parametrize("no_tls", [None, NO_TLS])
def test_nothing_named_is_nothing_given(tmp_path: Path, no_tls: str | None) -> None:
    assert options(tmp_path, no_tls=no_tls) == {}


@pytest.mark.parametrize("named", [("ca",), ("certificate", "key"), ("key",)])
def test_without_tls_no_file_may_be_named(tmp_path: Path, named: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        options(tmp_path, *named, no_tls=NO_TLS)
    assert str(caught.value) == f"WATTOKEN_X_{named[0].upper()}_FILE is set, but {NO_TLS}"


@pytest.mark.parametrize("half", ["certificate", "key"])
def test_a_certificate_and_its_key_go_together(tmp_path: Path, half: str) -> None:
    with pytest.raises(ConfigurationError, match="set both or neither") as caught:
        options(tmp_path, "ca", half)
    for setting in ("WATTOKEN_X_CERTIFICATE_FILE", "WATTOKEN_X_KEY_FILE"):
        assert setting in str(caught.value)


@pytest.mark.parametrize("gone", ["ca", "certificate", "key"])
def test_a_file_that_cannot_be_read_is_told_by_its_setting(tmp_path: Path, gone: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^WATTOKEN_X_{gone.upper()}_FILE: cannot read"):
        options(tmp_path, "ca", "certificate", "key", gone=gone)
