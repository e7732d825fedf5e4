"""Addresses of hosts, and private files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enphase_api import InvalidHostError
from enphase_api.files import write_file, write_private
from enphase_api.http import parse_host, read_host


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("envoy.local", "https://envoy.local"),
        ("https://envoy.local", "https://envoy.local"),
        ("https://envoy.local/", "https://envoy.local"),
        (" 192.168.1.5 ", "https://192.168.1.5"),
        ("192.168.1.5:8443", "https://192.168.1.5:8443"),
        ("https://envoy.local:443", "https://envoy.local"),
        ("fe80::1", "https://[fe80::1]"),
        ("[fe80::1]:8443", "https://[fe80::1]:8443"),
        ("HTTPS://Envoy.Local", "https://envoy.local"),
    ],
)
def test_a_host_is_a_name_or_address_with_or_without_https(host: str, address: str) -> None:
    assert str(parse_host(host)) == address


@pytest.mark.parametrize(
    "host",
    [
        "",
        "https://",
        "http://envoy.local",
        "http://localhost",
        "ftp://envoy.local",
        "envoy.local/home",
        "envoy.local?x=1",
        "envoy.local#x",
        "me:s3cr3t@envoy.local",
        "https://me@envoy.local",
        "envoy\x1b[2K.local",
        "envoy\x7f.local",
        "envoy\u202e.local",
        "envoy.local:0",
        "envoy.local:99999",
        "[envoy",
        "envoy..local",
        f"{64 * 'e'}.local",
    ],
)
def test_the_error_for_an_invalid_host_does_not_repeat_it(host: str) -> None:
    with pytest.raises(InvalidHostError, match=r"such as https://envoy\.local|must begin with") as caught:
        parse_host(host)
    assert "s3cr3t" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("host", ["http://localhost:8080", "http://127.0.0.1", "http://[::1]:1"])
def test_plain_http_is_possible_for_loopback_only_and_if_allowed(host: str) -> None:
    assert parse_host(host, plain_on_loopback=True).scheme == "http"
    with pytest.raises(InvalidHostError):
        parse_host(host)


@pytest.mark.parametrize(
    ("copied", "address"),
    [
        ("https://192.168.1.20/home", "https://192.168.1.20"),
        ("http://192.168.1.20/home#/overview", "https://192.168.1.20"),
        ("http://envoy.local", "https://envoy.local"),
        ("http://envoy.local:80/", "https://envoy.local"),
        ("envoy.local:80", "https://envoy.local"),
        ("https://envoy.local:443/home?lang=de", "https://envoy.local"),
        ("HTTPS://ENVOY.LOCAL/Home", "https://envoy.local"),
        ("  192.168.1.20 / ", "https://192.168.1.20"),
        ("//192.168.1.20/home", "https://192.168.1.20"),
        ("192.168.1.20:8443/home", "https://192.168.1.20:8443"),
        ("192.168.1.20/?next=https://elsewhere.example/", "https://192.168.1.20"),
        (r"https://envoy.local\home", "https://envoy.local"),
        ("http://[fe80::80]:80/home", "https://[fe80::80]"),
        ("fe80::80", "https://[fe80::80]"),
    ],
)
def test_an_address_copied_from_a_browser_is_reduced_to_its_host(copied: str, address: str) -> None:
    assert read_host(copied) == address


@pytest.mark.parametrize(
    "host",
    [
        "",
        "/home",
        "https://",
        "ftp://envoy.local",
        "file:///home",
        "me:s3cr3t@envoy.local/home",
        "https://me@envoy.local",
        "https://envoy.local:s3cr3t@elsewhere.example/",
        "envoy.local:0/home",
        "envoy.local:99999",
        "envoy..local",
    ],
)
def test_the_error_for_a_copied_text_without_a_host_does_not_repeat_it(host: str) -> None:
    with pytest.raises(InvalidHostError, match=r"such as https://envoy\.local|must begin with") as caught:
        read_host(host)
    assert "s3cr3t" not in str(caught.value)


@given(st.text() | st.text(alphabet="htps:/[]@.%?#a1\\ "))
def test_any_copied_text_becomes_an_https_address_or_an_invalid_host(text: str) -> None:
    try:
        address = read_host(text)
    except InvalidHostError:
        return
    assert str(parse_host(address)).rstrip("/") == address


@given(st.text() | st.text(alphabet="htps:/[]@.%?#a1\\ "))
def test_any_text_becomes_an_https_address_or_an_invalid_host(text: str) -> None:
    try:
        url = parse_host(text)
    except InvalidHostError:
        return
    assert url.scheme == "https"
    assert url.host
    assert (url.user, url.path) == (None, "/")


def test_only_the_owner_can_read_a_private_file_from_its_creation(tmp_path: Path) -> None:
    old_mask = os.umask(0)
    try:
        write_private(tmp_path / "a" / "b" / "secret", "x")
    finally:
        os.umask(old_mask)
    assert (tmp_path / "a" / "b" / "secret").stat().st_mode & 0o777 == 0o600


def test_writing_a_private_file_restricts_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, "new é")
    assert file.read_text(encoding="utf-8") == "new é"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_without_secrets_gets_its_mode_from_the_umask(tmp_path: Path) -> None:
    old_mask = os.umask(0o027)
    try:
        write_file(tmp_path / "chart.png", b"x")
    finally:
        os.umask(old_mask)
    assert (tmp_path / "chart.png").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", [".chart.png.new", ".chart.png.part", ".chart.png.tmp", "chart.png"])
def test_a_link_of_another_user_in_the_folder_is_not_followed(tmp_path: Path, name: str) -> None:
    other = tmp_path / "other"
    other.write_text("kept")
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / name).symlink_to(other)
    write_file(folder / "chart.png", b"x")
    assert other.read_text() == "kept"
    assert (folder / "chart.png").read_bytes() == b"x"
    assert not (folder / "chart.png").is_symlink()


def test_a_private_file_that_is_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    write_private(tmp_path / "link", "x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "secret").read_text() == "x"


def test_the_next_write_removes_the_remains_of_a_killed_one(tmp_path: Path) -> None:
    left, younger = (tmp_path / f".secret.{digit * 16}.tmp" for digit in "ab")
    others = tmp_path / ".secret.tmp", tmp_path / f".secret2.{'a' * 16}.tmp", tmp_path / ".secret.a.tmp"
    for file in (left, younger, *others):
        file.write_text("half")
        os.utime(file, (0, 0))
    younger.touch()
    write_private(tmp_path / "secret", "x")
    assert sorted(tmp_path.iterdir()) == sorted((younger, *others, tmp_path / "secret"))


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_file(tmp_path / "taken", b"x")
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]
