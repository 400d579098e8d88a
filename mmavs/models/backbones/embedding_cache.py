"""Embeddings of a frozen network, kept on disk."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import struct
import uuid
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

# To be raised when the same weights shall give other embeddings.
FORMAT = b'mmavs embedding 1'
DTYPES = dict(
    float64=torch.float64,
    float32=torch.float32,
    float16=torch.float16,
    bfloat16=torch.bfloat16,
)
# Digest of all that follows and of the context; dtype, rows, channels.
HEADER = struct.Struct('<32s16sII')
KEY = re.compile('[0-9a-f]{32,128}')
BLOCK_WORDS = 512  # of 8 bytes


def weights_of(module: nn.Module) -> list[tuple[str, Tensor]]:
    """Names and values of all parameters and buffers."""
    named = chain(module.named_parameters(), module.named_buffers())
    return [(name, tensor.detach()) for name, tensor in named]


def bytes_of(tensor: Tensor) -> Tensor:
    """The content of a tensor as one row of bytes, row-major."""
    content = tensor.flatten().view(torch.uint8)
    # Part of a larger buffer: 8-byte words need their own alignment.
    return content.clone() if content.storage_offset() % 8 else content


def weights_checksum(module: nn.Module) -> Tensor:
    """Sums over the bits of the weights, at the speed of the memory.

    Made to be compared with an earlier one: in-place writes through
    ``.data``, as weight averaging and its swaps do, leave neither address nor
    version of a tensor changed, so nothing less than its content tells. A
    change of one value, or an exchange of two, always changes the sums;
    any other change, but by a coincidence of 64-bit sums.

    Returns:
        Tensor: int64, on the device of the weights. Of each tensor, as
        8-byte words in rows of ``BLOCK_WORDS``, the sums over rows and over
        columns (modulo 2 to the 64), then the remaining bytes.
    """
    sums = []
    for _, tensor in weights_of(module):
        content = bytes_of(tensor)
        whole = len(content) // (8 * BLOCK_WORDS) * 8 * BLOCK_WORDS
        rows = content[:whole].view(torch.int64).view(-1, BLOCK_WORDS)
        # Of 16 rows first: they stay in the processor's cache, which makes
        # the sums over columns twice as fast.
        grouped = rows[: len(rows) // 16 * 16].view(-1, 16, BLOCK_WORDS)
        columns = grouped.sum(1).sum(0) + rows[16 * len(grouped) :].sum(0)
        sums += [columns, rows.sum(1), content[whole:].long()]
    return torch.cat(sums)


def weights_digest(module: nn.Module) -> str:
    """Digest of class, names, shapes, types and content of the weights."""
    kind = type(module)
    digest = hashlib.blake2b(FORMAT, digest_size=16)
    digest.update(f'{kind.__module__}.{kind.__qualname__}'.encode())
    for name, tensor in weights_of(module):
        digest.update(
            f'\n{name} {tensor.dtype} {tuple(tensor.shape)}\n'.encode()
        )
        digest.update(bytes_of(tensor.cpu()).numpy())
    return digest.hexdigest()


def encode_embedding(embedding: Tensor, context: str) -> bytes:
    """Content of a file.

    Args:
        embedding: what to keep, of a type of ``DTYPES``.
        context: what the embedding is of; a file is good in its own only.

    Shapes:
        - embedding: (T, C)
    """
    dtype = str(embedding.dtype).removeprefix('torch.')
    payload = bytes_of(embedding.detach().cpu()).numpy().tobytes()
    described = HEADER.pack(b'', dtype.encode(), *embedding.shape)[32:]
    digest = hashlib.blake2b(digest_size=32)
    for part in (context.encode(), described, payload):
        digest.update(part)
    return digest.digest() + described + payload


def decode_embedding(content: bytes, context: str) -> Tensor | None:
    """Inverse of :func:`encode_embedding`; None unless all of it is right.

    Returns:
        Tensor: (T, C), or None for a file that was cut, changed or put
        where another one belongs.
    """
    digest = hashlib.blake2b(digest_size=32)
    digest.update(context.encode())
    digest.update(content[32:])
    if digest.digest() != content[:32]:
        return None
    _, dtype, *shape = HEADER.unpack_from(content)
    values = torch.frombuffer(
        bytearray(content[HEADER.size :]),
        dtype=DTYPES[dtype.rstrip(b'\0').decode()],
    )
    return values.view(*shape)


class EmbeddingCache:
    """What a frozen network makes of clips, one small file per clip.

    A file is found by the weights of the network, the precision it computes
    in, and the digest of the clip's input. It is written under another name
    first, so a reader sees all of a file or none, and processes that write
    the same one do not disturb each other. It carries a digest: whatever was
    cut, changed or moved is computed anew and replaced.

    The content of the weights is looked at in every call: what loads,
    averages, moves or trains them cannot bring back what the old ones gave.
    Not looked at is what else may change the last bits or digits: versions of
    libraries, the kind of device beyond its type, TF32 in the place of
    float32 on a GPU; nor are forward hooks of the network.

    Args:
        folder: where the files go, as ``WEIGHTS-DEVICE-PRECISION/XX/KEY``.
            It is made when there is something to write. Removing it, or any
            part of it, is safe at any time. Where it cannot be written, a
            warning says so once, and what is not there is computed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).expanduser()
        self._checksum: Tensor | None = None
        self._digest = ''
        self._writable = True

    @torch.no_grad()
    def embed(
        self, network: nn.Module, inputs: Tensor, keys: Sequence[str | None]
    ) -> Tensor:
        """Embeddings of the clips of a batch.

        Each missing clip is computed by itself, so that its embedding does
        not depend, in its last bits, on the clips it is first met with.

        Args:
            network: gives (T, C) for the rows of a clip.
            inputs: rows of B clips of one length, clip after clip.
            keys: B digests of the content of the clips; a clip without one
                is computed and not kept.

        Shapes:
            - inputs: (B * T, ...)
            - returns: (B * T, C)

        Raises:
            ValueError: if a key is no digest.
        """
        space = self.space(network, inputs.device)
        clips = inputs.unflatten(0, (len(keys), -1))
        embeddings = []
        for clip, key in zip(clips, keys, strict=True):
            embedding = None
            if key is not None:
                embedding = self.read(space, key, len(clip))
            if embedding is None:
                embedding = network(clip)
                if key is not None:
                    self.write(space, key, embedding)
            embeddings.append(embedding.to(inputs.device))
        return torch.cat(embeddings)

    def space(self, network: nn.Module, device: torch.device) -> str:
        """Name of the folder for weights and precision of a network."""
        checksum = weights_checksum(network)
        known = self._checksum
        if (
            known is None
            or known.device != checksum.device
            or not torch.equal(known, checksum)
        ):
            self._digest = weights_digest(network)
            self._checksum = checksum
        dtype = next(network.parameters()).dtype
        if torch.is_autocast_enabled(device.type):
            dtype = torch.get_autocast_dtype(device.type)
        precision = str(dtype).removeprefix('torch.')
        return f'{self._digest}-{device.type}-{precision}'

    def path(self, space: str, key: str) -> Path:
        """Where the embedding of a clip is kept.

        Raises:
            ValueError: if the key is no digest; it must not name a file
                elsewhere.
        """
        if not isinstance(key, str) or not KEY.fullmatch(key):
            raise ValueError(
                'an audio key must be 32 to 128 hexadecimal digits, got '
                f'{key!r}'
            )
        return self.folder / space / key[:2] / key

    def read(self, space: str, key: str, num_rows: int) -> Tensor | None:
        """The embedding of a clip on the CPU, or None."""
        path = self.path(space, key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        embedding = decode_embedding(content, f'{space}/{key}')
        if embedding is None or len(embedding) != num_rows:
            return None
        return embedding

    def write(self, space: str, key: str, embedding: Tensor) -> None:
        """Keep the embedding of a clip, if the folder can be written."""
        if not self._writable:
            return
        path = self.path(space, key)
        # In the same folder: a rename is atomic within a file system only.
        partial = path.with_name(f'.{key[:16]}-{uuid.uuid4().hex}.tmp')
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                partial.write_bytes(
                    encode_embedding(embedding, f'{space}/{key}')
                )
                os.replace(partial, path)
            finally:
                with suppress(OSError):
                    partial.unlink(missing_ok=True)
        except OSError as error:
            self._writable = False
            print_log(
                f'embeddings cannot be kept in {self.folder}: {error}. What '
                'is not there yet will be computed every time',
                logger='current',
                level=logging.WARNING,
            )
