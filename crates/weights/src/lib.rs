//! Files that hold weights: GGUF, safetensors, shards; read, map, convert, write.
