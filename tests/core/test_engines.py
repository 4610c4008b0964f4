"""What engines' names mean, and what is risky about other machines."""

from __future__ import annotations

import pytest

from qtui.core.engines import EngineKind, engine_kind, leaves_machine, server_address, untrusted, untrusted_hosts
from qtui.core.errors import UsageError
from qtui.core.settings import read_settings, write_settings


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("built-in", EngineKind.BUILT_IN),
        ("llama-server", EngineKind.SERVER),
        ("/opt/bin/llama-server-cuda", EngineKind.SERVER),
        ("./llama-server", EngineKind.SERVER),
        ("http://localhost:8080", EngineKind.REMOTE),
        ("https://host/llama", EngineKind.REMOTE),
    ],
)
def test_a_name_means_one_engine(name: str, kind: EngineKind) -> None:
    assert engine_kind(name) is kind


@pytest.mark.parametrize(
    "name",
    ["vllm", "llama-cli", "http://", "http://user:word@host", "http://host?x=1", "http://host:99999", "http://a\nb"],
)
def test_what_is_no_engine_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        engine_kind(name)


def test_an_address_is_asked_without_what_does_not_belong() -> None:
    assert server_address("http://[::1]:8080/") == "http://[::1]:8080"
    assert server_address("https://host/llama/") == "https://host/llama"


def test_only_loopback_stays_on_this_machine() -> None:
    for host in ("127.0.0.1:50052", "[::1]:50052", "localhost:1", "http://127.0.0.2:8080"):
        assert not leaves_machine(host), host
    for host in ("10.0.0.2:50052", "host:50052", "http://host", "0.0.0.0:1"):
        assert leaves_machine(host), host
    assert untrusted("http://127.0.0.1:8080") == "" == untrusted("https://host") == untrusted("built-in")
    assert "plain text" in untrusted("http://host:8080")
    assert untrusted_hosts(["127.0.0.1:1"]) == "" and "a:1 and b:2" in untrusted_hosts(["a:1", "[::1]:3", "b:2", "a:1"])


def test_hosts_and_engine_of_the_settings_are_checked() -> None:
    settings, problems = read_settings({"rpc": ["10.0.0.2:50052", "[::1]:1"], "engine": "llama-server"})
    assert settings.rpc == ("10.0.0.2:50052", "[::1]:1") and not problems
    assert write_settings(settings) == {"rpc": ["10.0.0.2:50052", "[::1]:1"], "engine": "llama-server"}
    for value in (["host"], ["a b:1"], ["host:0"], ["host:70000"], "x,y:1", 5, ["a:1,b:2"]):
        settings, (problem,) = read_settings({"rpc": value})
        assert settings.rpc == () and problem.key == "rpc"
    settings, (problem,) = read_settings({"engine": "vllm"})
    assert settings.engine == "built-in" and problem.key == "engine"
