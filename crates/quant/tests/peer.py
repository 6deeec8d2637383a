"""Writes peer_errors.txt: the errors llama.cpp's own quantizers leave on fixed pseudo-random values.

    python peer.py path/to/libggml-base.so > peer_errors.txt

One line a format: name, relative root mean square error without importance, and the importance-weighted one
with importance. The values are those of `values` in laws.rs.
"""

import ctypes
import sys

import gguf
import numpy as np

from goldens import splitmix

COUNT = 64 * 256


def values():
    numbers = splitmix(7)
    uniform = lambda: (next(numbers) >> 40) / (1 << 24)
    out, importance = [], []
    for _ in range(COUNT):
        middle = uniform() + uniform() + uniform() + uniform() - 2.0
        out.append(middle * (1.0 + 2.0 * middle * middle))
        importance.append(uniform() * uniform())
    return np.array(out).astype(np.float32), np.array(importance).astype(np.float32)


if __name__ == "__main__":
    library = ctypes.CDLL(sys.argv[1])
    quantize = library.ggml_quantize_chunk
    quantize.restype = ctypes.c_size_t
    floats = ctypes.POINTER(ctypes.c_float)
    quantize.argtypes = [ctypes.c_int, floats, ctypes.c_void_p] + [ctypes.c_int64] * 3 + [floats]
    data, importance = values()
    for kind in gguf.GGMLQuantizationType:
        if kind.name in ("F32", "F64", "Q8_1", "Q8_K", "Q1_0") or kind.name in ("I8", "I16", "I32", "I64"):
            continue
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        errors = []
        for weights in (None, importance):
            if weights is None and kind.name in ("IQ2_XXS", "IQ2_XS", "IQ1_S", "IQ1_M"):
                errors.append(float("nan"))
                continue
            out = np.zeros(COUNT // elements * size, np.uint8)
            pointer = weights.ctypes.data_as(floats) if weights is not None else None
            quantize(kind, data.ctypes.data_as(floats), out.ctypes.data, 0, 1, COUNT, pointer)
            back = gguf.quants.dequantize(out.reshape(-1, size), kind).reshape(-1)
            weight = np.ones(COUNT) if weights is None else weights.astype(np.float64)
            square = lambda x: float(np.sum(weight * x.astype(np.float64) ** 2))
            errors.append((square(back - data) / square(data)) ** 0.5)
        print(kind.name, *(f"{error:.9f}" for error in errors))
