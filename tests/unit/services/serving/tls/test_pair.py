"""Nothing is served that the server could not read: it would end the process."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.platform.errors import ConfigurationError
from services.serving.tls.pair import PairFiles, check_pair, named_files, read_pair
from tests.certificates import Authority, serial_of, write_pair

CERTIFICATE = "WATTOKEN_INGEST_TLS_CERTIFICATE_FILE"
KEY = "WATTOKEN_INGEST_TLS_KEY_FILE"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def files(tmp_path: Path, authority: Authority) -> PairFiles:
    return write_pair(tmp_path, authority.pair())


def refusal(files: PairFiles) -> str:
    with pytest.raises(ConfigurationError) as refused:
        check_pair(read_pair(files), files)
    said = str(refused.value)
    assert "\n" not in said
    return said


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def make_with_openssl(files: PairFiles, *kind: str) -> None:
    out = ("-nodes", "-subj", "/CN=x", "-keyout", files.key, "-out", files.certificate)
    openssl("req", "-x509", *out, *kind)


def test_both_files_are_named_or_neither(tmp_path: Path) -> None:
    assert named_files(None, None) is None
    assert named_files(tmp_path, tmp_path) == PairFiles(tmp_path, tmp_path)
    for given in ((tmp_path, None), (None, tmp_path)):
        with pytest.raises(ConfigurationError) as refused:
            named_files(*given)
        assert CERTIFICATE in str(refused.value)
        assert KEY in str(refused.value)


def test_a_pair_that_fits_is_served(files: PairFiles, authority: Authority) -> None:
    pair = read_pair(files)
    checked = check_pair(pair, files)
    assert checked.pair == pair
    assert int(checked.own.serial, 16) == serial_of(pair)


def test_an_expired_one_passes_and_says_since_when(tmp_path: Path, authority: Authority) -> None:
    end = datetime(2020, 1, 1, tzinfo=UTC)
    files = write_pair(tmp_path, authority.pair(not_after=end))
    assert check_pair(read_pair(files), files).not_after == end


@pytest.mark.parametrize("which", ["certificate", "key"])
def test_a_file_that_is_not_there_is_named(files: PairFiles, which: str) -> None:
    path: Path = getattr(files, which)
    path.unlink()
    said = refusal(files)
    assert str(path) in said
    assert {"certificate": CERTIFICATE, "key": KEY}[which] in said
    assert "No such file" in said
    path.mkdir()
    assert "directory" in refusal(files)


def test_a_file_without_an_end_is_not_read_whole(files: PairFiles) -> None:
    said = refusal(PairFiles(Path("/dev/zero"), files.key))
    assert "more than 262144 bytes" in said


def test_what_is_no_pem_is_named(files: PairFiles) -> None:
    key = files.key.read_bytes()
    files.key.write_bytes(files.certificate.read_bytes())
    assert f"{KEY} {files.key} holds no private key" in refusal(files)
    files.key.write_bytes(key)
    files.certificate.write_bytes(key)
    assert f"{CERTIFICATE} {files.certificate} holds no certificate" in refusal(files)


@pytest.mark.parametrize("which", ["certificate", "key"])
def test_a_file_that_is_half_written_is_refused(files: PairFiles, which: str) -> None:
    path: Path = getattr(files, which)
    whole = path.read_bytes()
    for length in (0, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:length])
        assert str(path) in refusal(files)


def test_the_key_of_another_certificate_is_refused(files: PairFiles, authority: Authority) -> None:
    files.key.write_bytes(authority.pair().key)
    said = refusal(files)
    assert "is not the key of the certificate" in said
    assert CERTIFICATE in said
    assert KEY in said


@pytest.mark.parametrize("traditional", [(), ("-traditional",)])
def test_an_encrypted_key_is_refused(files: PairFiles, traditional: tuple[str, ...]) -> None:
    secret = files.key.with_name("secret.key")
    command = ("pkey", "-in", files.key, "-aes256", "-passout", "pass:secret", "-out", secret)
    openssl(*command, *traditional)
    said = refusal(PairFiles(files.certificate, secret))
    assert "is encrypted" in said
    assert "openssl pkey" in said


@pytest.mark.parametrize(
    "kind",
    [
        ("-newkey", "rsa:2048"),
        ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"),
        ("-newkey", "ed25519"),
    ],
    ids=["rsa", "p-384", "ed25519"],
)
def test_kinds_of_keys_that_can_be_served(files: PairFiles, kind: tuple[str, ...]) -> None:
    make_with_openssl(files, *kind)
    assert check_pair(read_pair(files), files).own.subject == "CN=x"


def test_a_kind_of_key_that_would_end_the_process_is_refused(files: PairFiles) -> None:
    make_with_openssl(files, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521")
    said = refusal(files)
    assert "cannot be served (General(" in said
    assert "ECDSA P-256 or P-384" in said


def test_the_key_is_not_shown(files: PairFiles) -> None:
    assert "PRIVATE" not in repr(check_pair(read_pair(files), files))
