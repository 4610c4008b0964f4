"""How a build of llama-server is started for a plan: only options that it has, and what it cannot be told in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from qtui.core.errors import UsageError
from qtui.core.memory.command import server_arguments
from qtui.core.memory.plan import LoadMode, LoadPlan
from qtui.core.server.build import ServerBuild
from qtui.core.text import clean_name

ALL = "999"
"""What old builds take for all layers."""
EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"
KEY = "LLAMA_API_KEY"
ROUTER = "LLAMA_SERVER_ROUTER_PORT"
"""With it set, llama-server tells its parent how far it is, and ends when its input does (tools/server)."""
NEVER = frozenset((
    "--tools", "--agent", "--ui-mcp-proxy", "--webui-mcp-proxy", "--mcp-servers-config", "--api-key", "--api-key-file",
    "--host", "--port", "--path", "--props", "--slots", "--models-dir", "--models-preset", "--media-path",
))  # fmt: skip
"""Options of llama-server that a session of ours is never started with."""
Said = tuple[tuple[str, ...], str]
"""Arguments, and what they leave unsaid."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What a llama-server is started with."""

    arguments: tuple[str, ...]
    unsaid: tuple[str, ...] = ()
    """What of the plan this build cannot be told, as sentences."""
    key_file: bool = False
    """The key must be given by a file: the build knows no variable for it."""


def launch(plan: LoadPlan, path: Path, build: ServerBuild, hosts: Sequence[str] = ()) -> Launch:
    """Return how a build loads a file under a resolved plan, for this process alone.

    Args:
        plan: resolved.
        path: the file, or the first shard.
        build: whose options count.
        hosts: RPC servers as `host:port`; only for a build that has RPC.

    Raises:
        UsageError: llama-server has no way to say the plan.
    """
    arguments: list[str] = []
    unsaid: list[str] = []
    if hosts and build.rpc:  # before all else: it registers the devices that others name
        arguments += ["--rpc", ",".join(hosts)]
    elif hosts:
        unsaid.append("this llama-server is built without RPC: the hosts of the settings are not used")
    for flag, values in _pairs(server_arguments(replace(plan, extra=""), path)):
        said, missing = _told(flag, values, plan, build)
        arguments += said
        unsaid += [missing] if missing else []
    arguments += _extra(plan, build)
    key = build.options.get("--api-key")
    by_file = (key is None or key.variable != KEY) and build.knows("--api-key-file")
    if not by_file and (key is None or key.variable != KEY):
        unsaid.append("this llama-server knows no key: any program of this machine may ask it")
    return Launch((*arguments, *_private(build)), tuple(unsaid), by_file)


def _told(flag: str, values: tuple[str, ...], plan: LoadPlan, build: ServerBuild) -> Said:
    """Return what one option is for a build."""
    known = build.options.get(flag)
    if known is None and flag == "--model":  # without it a new build serves whatever it finds
        return (flag, *values), ""
    if known is not None:
        if flag == "--n-gpu-layers" and values == ("all",) and "all" not in known.text:
            return (flag, ALL), ""
        if flag == "--flash-attn" and not known.argument:  # a switch, off where it is not given
            return ((flag,) if values == ("on",) else ()), ""
        return (flag, *values), ""
    older = _OLDER.get(flag)
    if older is not None:
        return older(values, plan, build)
    shown = " ".join((flag, *values))
    return (), f"this llama-server does not know {shown}: it is left out"


def _extra(plan: LoadPlan, build: ServerBuild) -> tuple[str, ...]:
    """Return the options that are handed over as they are; what makes a session private stands behind them and wins.

    Raises:
        UsageError: one that gives others access to this machine, or that the build does not know.
    """
    words = plan.extra_arguments()
    for word in words:
        name = word.partition("=")[0]
        if name in NEVER:
            raise UsageError(
                f"--extra: {name} is not passed on: it would give others access to this machine or this session",
                "start llama-server yourself, and name its address: --engine http://127.0.0.1:PORT",
            )
        if word.startswith("--") and not build.knows(name):
            raise UsageError(f"--extra: this llama-server does not know {clean_name(name, 80)}", "see its --help")
    return words


def _load_mode(values: tuple[str, ...], _plan: LoadPlan, build: ServerBuild) -> Said:
    """Say a load mode by the switches that there were before `--load-mode`."""
    mode = LoadMode(values[0])
    switches: list[str] = []
    missing: list[str] = []
    for wanted, switch, words in (
        (mode.locked, "--mlock", "locked in memory"),
        (not mode.mapped, "--no-mmap", "read instead of mapped"),
        (mode is LoadMode.DIO, "--direct-io", "read past the page cache"),
    ):
        if wanted and build.knows(switch):
            switches.append(switch)
        elif wanted:
            missing.append(words)
    if "--direct-io" in switches:
        switches.remove("--no-mmap") if "--no-mmap" in switches else None
    return tuple(switches), f"this llama-server cannot have weights {' and '.join(missing)}" if missing else ""


def _experts(values: tuple[str, ...], _plan: LoadPlan, build: ServerBuild) -> Said:
    """Say which experts stay on the CPU by the names of their tensors."""
    if not build.knows("--override-tensor"):
        return (), "this llama-server cannot keep experts on the CPU"
    if not values:
        return ("--override-tensor", f"{EXPERTS}=CPU"), ""
    rules = ",".join(rf"blk\.{layer}{EXPERTS}=CPU" for layer in range(int(values[0])))
    return (("--override-tensor", rules) if rules else ()), ""


def _slots(_values: tuple[str, ...], plan: LoadPlan, _build: ServerBuild) -> Said:
    return (), f"this llama-server divides the context among its {plan.parallel} slots"


def _nothing(_values: tuple[str, ...], _plan: LoadPlan, _build: ServerBuild) -> Said:
    return (), ""  # what the option turns off, such a build does not do


_OLDER: dict[str, Callable[[tuple[str, ...], LoadPlan, ServerBuild], Said]] = {
    "--load-mode": _load_mode,
    "--cpu-moe": _experts,
    "--n-cpu-moe": _experts,
    "--kv-unified": _slots,
    "--fit": _nothing,
}
"""How options are said to a build that does not have them."""


def _private(build: ServerBuild) -> tuple[str, ...]:
    """Return what makes a server one process's own: loopback, a free port, no page, no other site, no downloads."""
    wanted: list[tuple[str, ...]] = [("--host", "127.0.0.1"), ("--port", "0")]
    wanted.append(("--no-ui",) if build.knows("--no-ui") else ("--no-webui",))
    wanted += [("--no-slots",), ("--cors-origins", ""), ("--no-cors-credentials",), ("--offline",)]
    wanted += [("--cache-ram", "0"), ("--no-context-shift",)]
    if build.takes("--log-colors"):
        wanted.append(("--log-colors", "off"))
    if "default: 3" in getattr(build.options.get("--verbosity"), "text", ""):  # at 3 it does not tell its buffers
        wanted.append(("--verbosity", "4"))
    return tuple(word for words in wanted if build.knows(words[0]) for word in words)


def _pairs(arguments: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each option with its values."""
    flag = ""
    values: list[str] = []
    for word in arguments:
        if word.startswith("--"):
            if flag:
                yield flag, tuple(values)
            flag, values = word, []
        else:
            values.append(word)
    if flag:
        yield flag, tuple(values)
