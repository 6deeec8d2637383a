"""Writes decode_goldens.txt: what the `gguf` package decodes from fixed pseudo-random blocks.

    pip install gguf numpy && python goldens.py > decode_goldens.txt

One line a format: its name, then a checksum (32-bit FNV-1a over the values' bits, NaN made one NaN) for each
of 256 blocks. Block i < 8 is one byte over and over; the others come from splitmix64 seeded by the format's
number and the block's, so the Rust test makes the same bytes without storing them.
"""

import sys

import gguf
import numpy as np

BLOCKS = 256
CONSTANT = [0x00, 0xFF, 0x80, 0x7F, 0x01, 0x7C, 0xFC, 0x55]
MASK = (1 << 64) - 1


def splitmix(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def block(ggml_type, index, size):
    if index < len(CONSTANT):
        return bytes([CONSTANT[index]]) * size
    numbers = splitmix(ggml_type << 32 | index)
    return b"".join(next(numbers).to_bytes(8, "little") for _ in range(-(-size // 8)))[:size]


def checksum(values):
    values = np.where(np.isnan(values), np.float32(np.nan), values).astype("<f4")
    octets = values.view(np.uint8).reshape(len(values), -1).astype(np.uint64)
    sums = np.full(len(values), 0x811C9DC5, dtype=np.uint64)
    for column in octets.T:
        sums = (sums ^ column) * 0x01000193 & 0xFFFFFFFF
    return sums


if __name__ == "__main__":
    np.seterr(all="ignore")
    for kind in gguf.GGMLQuantizationType:
        if kind.name[0] == "I" and kind.name[1].isdigit() or kind.name == "F64":
            continue
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        rows = np.frombuffer(b"".join(block(kind, i, size) for i in range(BLOCKS)), np.uint8).reshape(BLOCKS, size)
        try:
            values = gguf.quants.dequantize(rows, kind).reshape(BLOCKS, elements)
        except NotImplementedError as error:
            print(error, file=sys.stderr)
            continue
        print(kind.name, *(f"{int(value):08x}" for value in checksum(values)))
