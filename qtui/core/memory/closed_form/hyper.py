"""The numbers of a model that its memory depends on, read from the header once."""

from __future__ import annotations

from dataclasses import dataclass

from qtui.core.gguf.layers import LayerValues
from qtui.core.memory.closed_form.kinds import Kinds, layer_kinds
from qtui.core.memory.closed_form.windows import Window, sliding_window


@dataclass(frozen=True, slots=True)
class Scan:
    """A state-space layer (Mamba and its like)."""

    inner: int
    state: int
    groups: int
    time_step_rank: int


@dataclass(frozen=True, slots=True)
class Latent:
    """Multi-head latent attention: the cache holds one compressed row instead of K and V."""

    key_length: int
    """Of one head once it is decompressed."""
    value_length: int


@dataclass(frozen=True, slots=True)
class Hyper:
    """What of a model's metadata decides its memory. Lists have one entry per block, those for prediction included."""

    architecture: str
    layers: int
    """All blocks, `block_count`."""
    prediction_layers: int
    """Blocks at the end that predict further tokens; they are not loaded and keep nothing."""
    embedding: int
    heads: tuple[int, ...]
    heads_kv: tuple[int, ...]
    head_k: int
    head_v: int
    head_k_swa: int
    head_v_swa: int
    rotary: int
    window: Window
    kinds: Kinds
    latent: Latent | None
    scan: Scan | None
    state_r: int
    """Elements of the convolution's state per recurrent layer and sequence."""
    state_s: int
    """Elements of the recurrent state per layer and sequence."""
    feed_forward: int
    """The widest."""
    experts_used: int
    expert_feed_forward: int
    trained_context: int

    @property
    def blocks(self) -> int:
        """Return the blocks that compute, n_layer()."""
        return self.layers - self.prediction_layers

    def widths(self, layer: int) -> tuple[int, int]:
        """Return the elements of one row of K and of V that a layer keeps."""
        heads = self.heads_kv[layer]
        if self.window.sliding[layer]:
            return heads * self.head_k_swa, heads * self.head_v_swa
        return heads * self.head_k, heads * self.head_v


def read_hyper(values: LayerValues) -> Hyper | None:
    """Read what the memory depends on; None where the header lacks the least, or counts layers beyond all reason.

    Source: llama.cpp, src/llama-model.cpp, load_hparams and src/models.

    Raises:
        BadFileError: the file ends inside an array.
    """
    layers = values.layers
    embedding = values.whole("embedding_length")
    if not layers or embedding is None:
        return None
    heads = values.per_layer("attention.head_count") or [0] * layers
    heads_kv = values.per_layer("attention.head_count_kv") if values.has("attention.head_count_kv") else heads
    if heads_kv is None:
        return None
    prediction = min(values.whole("nextn_predict_layers") or 0, layers)
    head_k, head_v = _head_sizes(values, heads[0], embedding)
    forward = values.per_layer("feed_forward_length") or [0] * layers
    used = values.largest("expert_used_count") or 0
    scan = _scan(values)
    kinds = layer_kinds(values, layers, layers - prediction, heads_kv, forward)
    state_r, state_s = _state(values, scan, embedding, heads[0], head_k) if any(kinds.recurrent) else (0, 0)
    latent = _latent(values)
    return Hyper(
        architecture=values.architecture,
        layers=layers,
        prediction_layers=prediction,
        embedding=embedding,
        heads=tuple(heads),
        heads_kv=tuple(heads_kv),
        head_k=head_k,
        head_v=head_v,
        head_k_swa=_or(values.whole("attention.key_length_swa"), head_k),
        head_v_swa=_or(values.whole("attention.value_length_swa"), head_v),
        rotary=_or(values.whole("rope.dimension_count"), head_k),
        window=sliding_window(values, layers, layers - prediction, heads_kv),
        kinds=kinds,
        latent=latent,
        scan=scan,
        state_r=state_r,
        state_s=state_s,
        feed_forward=max(forward),
        experts_used=used,
        expert_feed_forward=(values.largest("expert_feed_forward_length") or max(forward)) if used else 0,
        trained_context=values.whole("context_length") or 0,
    )


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _head_sizes(values: LayerValues, heads: int, embedding: int) -> tuple[int, int]:
    """Return the elements of one head's K and V. A model whose first layer has no heads has none, but for plamo2."""
    if not heads and values.architecture != "plamo2":
        return 0, 0
    even = embedding // heads if heads else 0
    return _or(values.whole("attention.key_length"), even), _or(values.whole("attention.value_length"), even)


def _latent(values: LayerValues) -> Latent | None:
    key, value = values.whole("attention.key_length_mla"), values.whole("attention.value_length_mla")
    return Latent(key, value) if key and value else None


def _scan(values: LayerValues) -> Scan | None:
    inner = values.whole("ssm.inner_size")
    if not inner:
        return None
    state, groups, rank = (values.whole(f"ssm.{key}") or 0 for key in ("state_size", "group_count", "time_step_rank"))
    return Scan(inner, state, groups, rank)


def _state(values: LayerValues, scan: Scan | None, embedding: int, heads: int, head_k: int) -> tuple[int, int]:
    """Return the elements of both states (llama-hparams.cpp, n_embd_r and n_embd_s)."""
    kernel = values.whole("ssm.conv_kernel") or 0
    scanned = scan.state * scan.inner if scan else 0
    if head := values.whole("wkv.head_size"):
        return _or(values.whole("token_shift_count"), 2) * embedding, embedding * head
    if cached := values.whole("shortconv.l_cache"):
        return embedding * (cached - 1), scanned
    if head := values.whole("kda.head_dim"):
        return 3 * (kernel - 1 if kernel else 3) * heads * head, head * head * heads
    if values.architecture == "minimax-01":
        return 0, head_k * head_k * heads
    if scan is None:
        return 0, 0
    return max(0, kernel - 1) * (scan.inner + 2 * scan.groups * scan.state), scanned
