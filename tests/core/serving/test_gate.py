"""Who is let in: keys, names of hosts, pages in browsers."""

from __future__ import annotations

import pytest

from qtui.core.errors import UsageError
from qtui.core.serving.gate import Asked, Gate, check_reach, checked_key, host_name, loopback, wildcard

KEY = "0123456789abcdef"


def status(gate: Gate, path: str = "/v1/models", **headers: str) -> int:
    """Return how a request is refused, 200 where it is not."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    refusal = gate.refusal(Asked(path, {"host": "127.0.0.1:8080", "authorization": f"Bearer {KEY}", **given}))
    return refusal.status if refusal else 200


HERE = Gate(KEY, "127.0.0.1")


def test_only_the_key_opens() -> None:
    assert status(HERE) == 200
    assert status(HERE, authorization=f"bearer {KEY}") == 200
    for wrong in ("", "Bearer", "Bearer ", KEY, f"Basic {KEY}", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", "Bearer \xe9"):
        assert status(HERE, authorization=wrong) == 401, wrong
    assert status(HERE, "/nothing", authorization="") == 401
    assert status(HERE, "/health", authorization="") == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:8080", "null", ""])
def test_pages_in_a_browser_are_refused_even_with_the_key(origin: str) -> None:
    assert status(HERE, origin=origin) == 403
    assert status(HERE, "/health", origin=origin) == 403


def test_a_browser_that_sends_no_origin_tells_all_the_same() -> None:
    assert status(HERE, sec_fetch_site="cross-site") == 403
    assert status(HERE, sec_fetch_site="none") == 200


def test_names_that_dns_could_lead_here_are_refused() -> None:
    for name in ("evil.example", "evil.example:8080", "192.168.1.5:8080", "", "127.0.0.1.evil.example", "[evil]:1"):
        assert status(HERE, host=name) == 403, name
    for name in ("127.0.0.1", "localhost:9", "[::1]:8080", "127.9.9.9:8080", "LOCALHOST"):
        assert status(HERE, host=name) == 200, name
    assert status(Gate(KEY, "box.lan"), host="box.lan:8080") == 200
    everywhere = Gate(KEY, "0.0.0.0", ("box", "box.local"))
    assert [status(everywhere, host=name) for name in ("192.168.1.5:1", "box", "Box.local:2", "evil.example")] == [
        200, 200, 200, 403,
    ]  # fmt: skip


def test_hosts() -> None:
    assert [host_name(text) for text in ("A:1", "[::1]:8", "::1", "a")] == ["a", "::1", "::1", "a"]
    assert (wildcard("0.0.0.0"), wildcard("::"), wildcard("127.0.0.1"), wildcard("a")) == (True, True, False, False)
    assert loopback(["127.0.0.1", "::1", "fe80::1%lo"]) is False
    assert (loopback(["127.0.0.2", "::1"]), loopback([])) == (True, False)


def test_other_machines_need_a_long_key_of_the_users() -> None:
    check_reach("127.0.0.1", here_only=True, key="")
    check_reach("0.0.0.0", here_only=False, key=KEY)
    for key in ("", KEY[:-1]):
        with pytest.raises(UsageError, match="16 characters"):
            check_reach("0.0.0.0", here_only=False, key=key)


@pytest.mark.parametrize("text", ["", " \n", "a b", "ключ", "x" * 513, "a\x1b"])
def test_keys_that_no_header_carries(text: str) -> None:
    with pytest.raises(UsageError):
        checked_key(text, "the test")
    assert checked_key(" sk-1_2\n", "the test") == "sk-1_2"


def test_the_key_is_in_no_representation() -> None:
    assert KEY not in repr(HERE)
