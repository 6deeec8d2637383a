"""A checkpoint to what is released: a Hugging Face folder and GGUF files.

    python export.py CHECKPOINT TOKENIZER OUT

Writes OUT/hf/ (config, tokenizer, safetensors in F32), OUT/freehold-house-f32.gguf and OUT/freehold-house-q8_0.gguf
(matrices Q8_0, norms F32). Tensor names follow GGUF's Qwen3; nothing is permuted, for both turn half-split pairs.
"""

import json
import os
import shutil
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from answer import load
from dialogue import MARKS, SPECIAL

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLING = {"temperature": 0.2, "top_k": 20, "top_p": 0.9, "min_p": 0.05}
ABOUT = "A very small, fully open language model that ships inside Freehold: short talk about open-weight AI, reading, form and tools."
HF = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj", "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj",
      "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "q_norm": "self_attn.q_norm", "k_norm": "self_attn.k_norm"}
GG = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output", "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down",
      "attn_norm": "attn_norm", "ffn_norm": "ffn_norm", "q_norm": "attn_q_norm", "k_norm": "attn_k_norm"}


def names(ours):
    """Our parameter name as (Hugging Face, GGUF)."""
    if ours == "embed.weight":
        return "model.embed_tokens.weight", "token_embd.weight"
    if ours == "norm":
        return "model.norm.weight", "output_norm.weight"
    _, layer, part = ours.split(".", 2)
    part = part.removesuffix(".weight")
    return f"model.layers.{layer}.{HF[part]}.weight", f"blk.{layer}.{GG[part]}.weight"


def write_hf(folder, weights, config, tokenizer, template):
    os.makedirs(folder, exist_ok=True)
    save_file({names(n)[0]: w for n, w in weights.items()}, os.path.join(folder, "model.safetensors"), {"format": "pt"})
    shutil.copy(tokenizer, os.path.join(folder, "tokenizer.json"))
    tok = Tokenizer.from_file(tokenizer)
    end, pad = tok.token_to_id("<|im_end|>"), tok.token_to_id("<|endoftext|>")
    added = {str(tok.token_to_id(t)): {"content": t, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": t in SPECIAL} for t in SPECIAL + MARKS}
    files = {
        "config.json": config.hf() | {"eos_token_id": end, "pad_token_id": pad, "bos_token_id": None, "dtype": "float32", "transformers_version": "5.23.0"},
        "generation_config.json": {"eos_token_id": [end], "pad_token_id": pad, "do_sample": True, **SAMPLING},
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": config.context, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "bos_token": None,
                                  "add_bos_token": False, "clean_up_tokenization_spaces": False, "added_tokens_decoder": added},
    }
    for name, value in files.items():
        with open(os.path.join(folder, name), "w") as f:
            json.dump(value, f, indent=1, ensure_ascii=False)
            f.write("\n")
    with open(os.path.join(folder, "chat_template.jinja"), "w") as f:
        f.write(template)


def write_gguf(path, weights, config, tokenizer, template, form, file_type):
    w = gguf.GGUFWriter(path, "qwen3")
    w.add_type("model")
    w.add_name("Freehold House")
    w.add_basename("Freehold-House")
    w.add_size_label(f"{sum(x.size for x in weights.values()) / 1e6:.1f}M")
    w.add_organization("Freehold")
    w.add_author("The Freehold project")
    w.add_version("2.0")
    w.add_description(ABOUT)
    w.add_license("apache-2.0")
    w.add_license_name("Apache License 2.0")
    w.add_license_link("https://www.apache.org/licenses/LICENSE-2.0")
    w.add_languages(["en"])
    w.add_tags(["text-generation", "fully-open", "small"])
    w.add_string("general.datasets.note", "made by house/data/generate.py, which is released with the model")
    w.add_file_type(file_type)
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    w.add_float32("general.sampling.temp", SAMPLING["temperature"])
    w.add_int32("general.sampling.top_k", SAMPLING["top_k"])
    w.add_float32("general.sampling.top_p", SAMPLING["top_p"])
    w.add_float32("general.sampling.min_p", SAMPLING["min_p"])
    w.add_context_length(config.context)
    w.add_embedding_length(config.hidden)
    w.add_block_count(config.layers)
    w.add_feed_forward_length(config.ffn)
    w.add_head_count(config.heads)
    w.add_head_count_kv(config.kv_heads)
    w.add_key_length(config.head_dim)
    w.add_value_length(config.head_dim)
    w.add_layer_norm_rms_eps(config.eps)
    w.add_rope_freq_base(config.rope_theta)
    w.add_vocab_size(config.vocab)
    with open(tokenizer, encoding="utf-8") as f:
        spec = json.load(f)
    by_id = {i: t for t, i in spec["model"]["vocab"].items()}
    by_id |= {t["id"]: t["content"] for t in spec["added_tokens"]}
    tokens = [by_id[i] for i in range(config.vocab)]
    kinds = [gguf.TokenType.CONTROL if t in SPECIAL else gguf.TokenType.USER_DEFINED if t in MARKS else gguf.TokenType.NORMAL for t in tokens]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(tokens)
    w.add_token_types(kinds)
    w.add_token_merges([" ".join(m) if isinstance(m, list) else m for m in spec["model"]["merges"]])
    w.add_eos_token_id(tokens.index("<|im_end|>"))
    w.add_eot_token_id(tokens.index("<|im_end|>"))
    w.add_pad_token_id(tokens.index("<|endoftext|>"))
    w.add_add_bos_token(False)
    w.add_chat_template(template)
    for n, x in weights.items():
        kind = form if x.ndim == 2 else Type.F32
        data = x if kind == Type.F32 else gguf.quants.quantize(x, kind)
        w.add_tensor(names(n)[1], np.ascontiguousarray(data), raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main(checkpoint, tokenizer, out):
    model, _ = load(checkpoint)
    weights = {n: p.detach().float().numpy() for n, p in model.named_parameters()}
    with open(os.path.join(HERE, "chat_template.jinja"), encoding="utf-8") as f:
        template = f.read().rstrip("\n")
    os.makedirs(out, exist_ok=True)
    write_hf(os.path.join(out, "hf"), weights, model.c, tokenizer, template)
    write_gguf(os.path.join(out, "freehold-house-f32.gguf"), weights, model.c, tokenizer, template, Type.F32, gguf.LlamaFileType.ALL_F32)
    write_gguf(os.path.join(out, "freehold-house-q8_0.gguf"), weights, model.c, tokenizer, template, Type.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0)
    print(f"{sum(w.size for w in weights.values())} parameters; {os.path.getsize(os.path.join(out, 'freehold-house-q8_0.gguf'))} bytes in Q8_0")


if __name__ == "__main__":
    main(*sys.argv[1:4])
