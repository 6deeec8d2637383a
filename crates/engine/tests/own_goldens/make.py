"""Draws the tiny random models of this folder and what transformers computes with them.

    python make.py              # all of them
    python make.py llama_ phi   # those whose names begin so

One folder a model: `config.json` and `model.safetensors` as transformers writes them,
`config.old.json` (as transformers 4 wrote it), `config.bare.json` (without what equals the
architecture's defaults), `golden.json` (token ids of two prompts, positions looked at) and
`golden.safetensors` (logits there, F32, eager attention); `golden.json` also has what the model
says when one setting is left out. Everything follows from the names: each model is drawn from a
seed made of its own. Weights are rounded to what the file stores before they are used. Gains are not one and biases are not zero, so that forgetting one shows.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

HERE = Path(__file__).parent
VOCAB = 80
SHORT, LONG = 9, 70
SAID = 6
LOOKED_AT = {"short": [0, 4, 8], "long": [3, 31, 32, 50, 68, 69]}
LOGIT_STD = 3.0
WINDOW = 9
FULL, SLIDING = "full_attention", "sliding_attention"

USUAL = dict(
    vocab_size=VOCAB,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=128,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=2,
)
GPT2 = dict(
    vocab_size=VOCAB, n_embd=32, n_layer=2, n_head=4, n_positions=96,
    pad_token_id=0, bos_token_id=1, eos_token_id=2,
)
FALCON = dict(
    vocab_size=VOCAB, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
    max_position_embeddings=128, pad_token_id=0, bos_token_id=1, eos_token_id=2,
)
QWEN_MOE = USUAL | dict(
    num_experts=5, num_experts_per_tok=2, moe_intermediate_size=16, intermediate_size=24
)
QWEN2_MOE = QWEN_MOE | dict(shared_expert_intermediate_size=20)
DEEPSEEK = USUAL | dict(
    num_key_value_heads=4, kv_lora_rank=16, q_lora_rank=12, qk_nope_head_dim=8,
    qk_rope_head_dim=6, v_head_dim=10, n_routed_experts=6, num_experts_per_tok=3,
    moe_intermediate_size=12, n_shared_experts=2, intermediate_size=40, n_group=1, topk_group=1,
)
GPT_OSS = USUAL | dict(
    head_dim=8, num_local_experts=4, num_experts_per_tok=2, intermediate_size=16, sliding_window=5
)


def rope(kind, theta=10000.0, **rest):
    return dict(rope_type=kind, rope_theta=theta, **rest)


LLAMA3 = rope("llama3", 500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32)
YARN = rope("yarn", factor=4.0, original_max_position_embeddings=32)
LONGROPE = rope("longrope", short_factor=[1.0, 1.1, 1.2, 1.3, 1.5, 1.7],
                long_factor=[1.0, 1.5, 2.5, 4.0, 7.0, 11.0])

# name: (model_type, settings, how the weights are stored)
MODELS = {
    "llama_linear": ("llama", USUAL | dict(rope_parameters=rope("linear", factor=2.5))),
    "llama_dynamic": ("llama", USUAL | dict(
        max_position_embeddings=32, rope_parameters=rope("dynamic", 500.0, factor=3.0))),
    "llama_yarn": ("llama", USUAL | dict(
        rope_parameters=YARN | dict(attention_factor=1.3, beta_fast=8.0, beta_slow=0.5))),
    "llama_yarn_mscale": ("llama", USUAL | dict(
        rope_parameters=YARN | dict(mscale=1.0, mscale_all_dim=0.4, truncate=False))),
    "llama_llama3": ("llama", USUAL | dict(rope_parameters=LLAMA3, tie_word_embeddings=True)),
    "llama_biases": ("llama", USUAL | dict(
        attention_bias=True, mlp_bias=True, hidden_act="gelu", head_dim=12,
        num_key_value_heads=1), "f32"),
    "mistral_full": ("mistral", USUAL | dict(sliding_window=None, head_dim=16)),
    "mistral_window": ("mistral", USUAL | dict(sliding_window=WINDOW, hidden_act="gelu_new")),
    "qwen2_window": ("qwen2", USUAL | dict(
        use_sliding_window=True, sliding_window=WINDOW, max_window_layers=1)),
    "qwen2_tied": ("qwen2", USUAL | dict(
        tie_word_embeddings=True, hidden_act="relu", rope_parameters=YARN)),
    "qwen3_bias": ("qwen3", USUAL | dict(attention_bias=True, head_dim=12)),
    "qwen3_window": ("qwen3", USUAL | dict(
        head_dim=16, use_sliding_window=True, sliding_window=WINDOW, max_window_layers=1)),
    "qwen3_moe_mlp_only": ("qwen3_moe", QWEN_MOE | dict(
        head_dim=8, num_hidden_layers=3, mlp_only_layers=[1], norm_topk_prob=True)),
    "qwen3_moe_step": ("qwen3_moe", QWEN_MOE | dict(
        head_dim=12, decoder_sparse_step=2, norm_topk_prob=False, attention_bias=True,
        hidden_act="gelu")),
    "qwen3_moe_window": ("qwen3_moe", QWEN_MOE | dict(
        head_dim=8, use_sliding_window=True, sliding_window=WINDOW, norm_topk_prob=True)),
    "qwen2_moe_norm": ("qwen2_moe", QWEN2_MOE | dict(norm_topk_prob=True)),
    "qwen2_moe_window": ("qwen2_moe", QWEN2_MOE | dict(
        use_sliding_window=True, sliding_window=WINDOW, max_window_layers=1, mlp_only_layers=[0],
        qkv_bias=False, hidden_act="gelu")),
    "mixtral_window": ("mixtral", USUAL | dict(
        num_local_experts=4, num_experts_per_tok=2, intermediate_size=24, sliding_window=WINDOW,
        hidden_act="gelu")),
    "mixtral_one": ("mixtral", USUAL | dict(
        num_local_experts=3, num_experts_per_tok=1, intermediate_size=24, head_dim=12)),
    "gemma_gelu": ("gemma", USUAL | dict(head_dim=12, num_key_value_heads=1, hidden_act="gelu")),
    "gemma2_uncapped": ("gemma2", USUAL | dict(
        head_dim=16, query_pre_attn_scalar=20, sliding_window=WINDOW, attn_logit_softcapping=None,
        final_logit_softcapping=5.0)),
    "gemma2_no_caps": ("gemma2", USUAL | dict(
        head_dim=8, query_pre_attn_scalar=8, sliding_window=WINDOW, attn_logit_softcapping=None,
        final_logit_softcapping=None, attention_bias=True, layer_types=[FULL, SLIDING])),
    "gemma3_layers": ("gemma3_text", USUAL | dict(
        num_hidden_layers=3, layer_types=[FULL, SLIDING, SLIDING], head_dim=16,
        query_pre_attn_scalar=20, sliding_window=WINDOW, attention_bias=True, rope_parameters={
            FULL: rope("linear", 1e6, factor=8.0), SLIDING: rope("default", 500.0)})),
    "gemma3_capped": ("gemma3_text", USUAL | dict(
        num_hidden_layers=6, hidden_size=24, intermediate_size=32, head_dim=8,
        query_pre_attn_scalar=8, sliding_window=WINDOW, final_logit_softcapping=9.0,
        hidden_activation="gelu")),
    "phi_norms": ("phi", USUAL | dict(
        qk_layernorm=True, rope_parameters=rope("default", partial_rotary_factor=0.5))),
    "phi_part": ("phi", USUAL | dict(
        num_key_value_heads=4, hidden_size=48, intermediate_size=40,
        rope_parameters=rope("linear", factor=2.0, partial_rotary_factor=0.34))),
    "phi3_window": ("phi3", USUAL | dict(sliding_window=WINDOW, hidden_act="gelu")),
    "phi3_longrope_part": ("phi3", USUAL | dict(
        hidden_size=64, intermediate_size=48, original_max_position_embeddings=32,
        tie_word_embeddings=True, rope_parameters=LONGROPE | dict(
            partial_rotary_factor=0.75, original_max_position_embeddings=32))),
    "olmo2_grouped": ("olmo2", USUAL | dict(attention_bias=True)),
    "olmo3_yarn": ("olmo3", USUAL | dict(
        num_hidden_layers=4, sliding_window=WINDOW, rope_parameters={
            FULL: YARN | dict(rope_theta=500000.0, attention_factor=1.2),
            SLIDING: rope("default", 500000.0)})),
    "olmo3_layers": ("olmo3", USUAL | dict(
        layer_types=[FULL, SLIDING], sliding_window=WINDOW, attention_bias=True)),
    "granite_biases": ("granite", USUAL | dict(
        attention_bias=True, mlp_bias=True, embedding_multiplier=3.0, logits_scaling=2.0,
        residual_multiplier=0.7, attention_multiplier=0.2, hidden_act="gelu")),
    "granitemoe_few": ("granitemoe", USUAL | dict(
        attention_bias=True, embedding_multiplier=3.0, logits_scaling=2.0, intermediate_size=16,
        residual_multiplier=0.7, attention_multiplier=0.2, num_local_experts=4)),
    "granitemoe_bare": ("granitemoe", USUAL | dict(
        num_local_experts=5, num_experts_per_tok=3, intermediate_size=20, tie_word_embeddings=True,
        hidden_act="gelu")),
    "smollm3_window": ("smollm3", USUAL | dict(
        no_rope_layer_interval=2, use_sliding_window=True, sliding_window=WINDOW)),
    "smollm3_listed": ("smollm3", USUAL | dict(
        num_hidden_layers=3, no_rope_layers=[0, 1, 1], attention_bias=True, mlp_bias=True,
        tie_word_embeddings=False)),
    "starcoder2_window": ("starcoder2", USUAL | dict(
        sliding_window=WINDOW, tie_word_embeddings=True, use_bias=True)),
    "starcoder2_bare": ("starcoder2", USUAL | dict(
        use_bias=False, tie_word_embeddings=False, hidden_act="gelu")),
    "stablelm_parallel": ("stablelm", USUAL | dict(
        use_parallel_residual=True, qk_layernorm=True, use_qkv_bias=False)),
    "stablelm_bias": ("stablelm", USUAL | dict(
        use_qkv_bias=True, hidden_act="gelu", num_key_value_heads=4,
        rope_parameters=rope("default", partial_rotary_factor=0.5))),
    "stablelm_norms": ("stablelm", USUAL | dict(qk_layernorm=True, use_qkv_bias=True)),
    "cohere_norms": ("cohere", USUAL | dict(
        use_qk_norm=True, attention_bias=True, logit_scale=0.25)),
    "cohere_untied": ("cohere", USUAL | dict(tie_word_embeddings=False, hidden_act="gelu")),
    "cohere2_pattern": ("cohere2", USUAL | dict(
        num_hidden_layers=4, intermediate_size=32, sliding_window=WINDOW, attention_bias=True)),
    "cohere2_layers": ("cohere2", USUAL | dict(
        layer_types=[FULL, SLIDING], sliding_window=WINDOW, logit_scale=1.5)),
    "glm_bias": ("glm", USUAL | dict(head_dim=12)),
    "glm_bare": ("glm", USUAL | dict(head_dim=8, attention_bias=False, hidden_act="gelu")),
    "glm4_bias": ("glm4", USUAL | dict(head_dim=16)),
    "glm4_bare": ("glm4", USUAL | dict(
        head_dim=8, attention_bias=False,
        rope_parameters=rope("linear", factor=2.0, partial_rotary_factor=0.5))),
    "falcon_groups": ("falcon", FALCON | dict(new_decoder_architecture=True, num_kv_heads=2)),
    "falcon_groups_one_norm": ("falcon", FALCON | dict(
        new_decoder_architecture=True, num_kv_heads=2, num_ln_in_parallel_attn=1, bias=True,
        ffn_hidden_size=56)),
    "falcon_sequential": ("falcon", FALCON | dict(
        parallel_attn=False, bias=True, activation="gelu_new")),
    "falcon_heads": ("falcon", FALCON | dict(
        multi_query=False, tie_word_embeddings=False, rope_parameters=rope("linear", factor=2.0))),
    "falcon_heads_sequential": ("falcon", FALCON | dict(
        multi_query=False, parallel_attn=False, bias=True)),
    "gpt2_by_layer": ("gpt2", GPT2 | dict(
        scale_attn_by_inverse_layer_idx=True, n_inner=40, activation_function="gelu")),
    "gpt2_unscaled": ("gpt2", GPT2 | dict(
        scale_attn_weights=False, tie_word_embeddings=False)),
    "gpt_neox_sequential": ("gpt_neox", USUAL | dict(
        use_parallel_residual=False, hidden_act="gelu_fast",
        rope_parameters=rope("default", partial_rotary_factor=0.5))),
    "gpt_neox_bare": ("gpt_neox", USUAL | dict(
        attention_bias=False, tie_word_embeddings=True, hidden_act="gelu_new")),
    "deepseek_v2_groups": ("deepseek_v2", DEEPSEEK | dict(
        n_group=3, topk_group=2, topk_method="group_limited_greedy", first_k_dense_replace=1,
        routed_scaling_factor=2.0, rope_parameters=YARN | dict(mscale=0.7, mscale_all_dim=0.5))),
    "deepseek_v2_greedy": ("deepseek_v2", DEEPSEEK | dict(
        q_lora_rank=None, topk_method="greedy", norm_topk_prob=True, attention_bias=True,
        n_shared_experts=1, hidden_act="gelu")),
    "deepseek_v3_halves": ("deepseek_v3", DEEPSEEK | dict(
        q_lora_rank=None, first_k_dense_replace=0, rope_interleave=False, norm_topk_prob=False,
        routed_scaling_factor=1.7, n_group=3, topk_group=2)),
    "deepseek_v3_dense": ("deepseek_v3", DEEPSEEK | dict(
        num_hidden_layers=3, first_k_dense_replace=2, attention_bias=True, n_shared_experts=1,
        hidden_act="gelu", rope_parameters=YARN | dict(mscale=1.0, mscale_all_dim=1.0))),
    "gpt_oss_odd": ("gpt_oss", GPT_OSS | dict(
        swiglu_alpha=1.3, swiglu_limit=1.5, rope_parameters=YARN | dict(
            rope_theta=150000.0, beta_fast=32.0, beta_slow=1.0, truncate=False))),
    "gpt_oss_layers": ("gpt_oss", GPT_OSS | dict(
        num_hidden_layers=3, layer_types=[FULL, SLIDING, FULL], sliding_window=WINDOW,
        attention_bias=False, num_local_experts=3, rope_parameters=rope("default", 150000.0))),
}


def with_epsilon(kind, settings):
    """With a norm's epsilon so large that a norm with another shows."""
    known = ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon")
    names = vars(AutoConfig.for_model(kind))
    return settings | {name: 0.05 for name in known if name in names}


def draw(model, words):
    """Fills every parameter: matrices as wide as their inputs ask, gains near one, biases not zero."""
    for name, p in sorted(model.named_parameters()) + sorted(model.named_buffers()):
        noise = torch.randn(p.shape, generator=words)
        if "e_score_correction_bias" in name:
            p.data = 0.2 * noise
        elif "inv_freq" in name or not p.is_floating_point() or p.ndim == 0:
            continue
        elif "sinks" in name:
            p.data = noise
        elif name.endswith("bias") or "_bias" in name:
            p.data = 0.3 * noise
        elif p.ndim == 1 or "norm" in name or ".ln_" in name:
            p.data = p.data + 0.3 * noise
        elif "embed" in name or "wte" in name or "wpe" in name:
            p.data = noise
        else:
            p.data = noise * 1.3 / p.shape[-1] ** 0.5


def stored_as(model, dtype):
    """Every parameter rounded to what the file holds."""
    for p in list(model.parameters()) + list(model.buffers()):
        if p.is_floating_point() and p.ndim > 0:
            p.data = p.data.to(dtype).to(torch.float32)


def old_style(config):
    """`config.json` as transformers 4 wrote it."""
    old = {k: v for k, v in config.items() if k not in ("rope_parameters", "dtype")}
    old["torch_dtype"] = config["dtype"]
    old["transformers_version"] = "4.46.0"
    given = config.get("rope_parameters")
    if not given:
        return old
    word = "type"
    if FULL in given:
        word = "rope_type"
        local, given = given[SLIDING], given[FULL]
        if config["model_type"] == "gemma3_text":
            old["rope_local_base_freq"] = local["rope_theta"]
    given = dict(given)
    neox = config["model_type"] == "gpt_neox"
    old["rotary_emb_base" if neox else "rope_theta"] = given.pop("rope_theta")
    if "partial_rotary_factor" in given:
        share = given.pop("partial_rotary_factor")
        old["rotary_pct" if neox else "partial_rotary_factor"] = share
    kind = given.pop("rope_type")
    if kind == "longrope":
        given.pop("original_max_position_embeddings", None)
    old["rope_scaling"] = None
    if kind != "default" or config["model_type"] == "gpt_oss":
        old["rope_scaling"] = {"rope_type" if kind == "llama3" else word: kind, **given}
    by_rule = ("qwen2", "qwen3", "qwen2_moe", "smollm3")
    if config["model_type"] in by_rule:
        old.pop("layer_types", None)
    return old


def bare(config, defaults):
    """Without the settings that equal the architecture's defaults."""
    keep = {"model_type", "architectures", "vocab_size"}
    same = lambda k, v: k in defaults and defaults[k] == v and type(defaults[k]) is type(v)
    return {k: v for k, v in config.items() if k in keep or not same(k, v)}


NEEDED = """
model_type architectures dtype transformers_version vocab_size hidden_size intermediate_size
num_hidden_layers num_attention_heads n_embd n_layer n_head moe_intermediate_size num_experts
num_local_experts n_routed_experts shared_expert_intermediate_size use_cache initializer_range
tie_word_embeddings
""".split()


def without(config, state, ids):
    """What the model says last, its first few logits, when a setting is left out of `config.json`."""
    said = {}
    for key in config:
        if key in NEEDED or key.endswith(("_token_id", "dropout", "_pdrop", "_coef")):
            continue
        try:
            twin = build({k: v for k, v in json.loads(json.dumps(config)).items() if k != key})
            twin.load_state_dict(state)
            said[key] = [float(f"{x:.6g}") for x in logits(twin, ids)[-1][:SAID].tolist()]
        except Exception as fault:  # sizes that no longer fit, whatever notices them
            print(f"  without {key}: {type(fault).__name__}")
    return said


def build(config):
    config = AutoConfig.for_model(**config)
    return AutoModelForCausalLM.from_config(
        config, attn_implementation="eager", experts_implementation="eager",
        dtype=torch.float32).eval()


@torch.no_grad()
def logits(model, ids):
    return model(torch.tensor([ids]), use_cache=False).logits[0].float()


@torch.no_grad()
def make(name, kind, settings, storage="bf16"):
    words = torch.Generator().manual_seed(int(hashlib.sha256(name.encode()).hexdigest()[:12], 16))
    dtype = {"bf16": torch.bfloat16, "f32": torch.float32}[storage]
    torch.manual_seed(1)
    model = build(dict(model_type=kind, **settings))
    draw(model, words)
    ids = {prompt: torch.randint(3, VOCAB, (n,), generator=words).tolist()
           for prompt, n in (("short", SHORT), ("long", LONG))}
    for _ in range(3):
        head = model.get_output_embeddings().weight
        head.data *= min(4.0, LOGIT_STD / float(logits(model, ids["long"]).std()))
    stored_as(model, dtype)

    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model.to(dtype).save_pretrained(folder, safe_serialization=True)
    (folder / "generation_config.json").unlink(missing_ok=True)
    model = AutoModelForCausalLM.from_pretrained(
        folder, attn_implementation="eager", experts_implementation="eager",
        dtype=torch.float32).eval()
    out = {prompt: logits(model, tokens) for prompt, tokens in ids.items()}
    exact = logits(model.double(), ids["long"])
    # `.double()` leaves rotations in F32: what is left is how far F32 itself is off.
    noise = float((exact - out["long"]).abs().max() / out["long"].abs().max())

    config = json.loads((folder / "config.json").read_text())
    defaults = json.loads(type(model.config)().to_json_string(use_diff=False))
    state = model.float().state_dict()
    styles = {"config.old.json": old_style(config), "config.bare.json": bare(config, defaults)}
    for file, style in styles.items():
        twin = build(json.loads(json.dumps(style)))
        twin.load_state_dict(state)
        off = max(float((logits(twin, ids[p]) - out[p]).abs().max()) for p in ids)
        if off > 1e-4:
            print(f"  {name}: {file} means something else to transformers, off by {off:.2e}")
            continue
        (folder / file).write_text(json.dumps(style, indent=1, sort_keys=True) + "\n")
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    looked = {p: out[p][LOOKED_AT[p]].contiguous() for p in ids}
    save_file(looked, folder / "golden.safetensors")
    golden = {p: {"ids": ids[p], "positions": LOOKED_AT[p]} for p in ids}
    golden["transformers"], golden["noise"] = transformers.__version__, noise
    golden["without"] = without(config, state, ids["long"])
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
    for file in folder.iterdir():
        file.chmod(0o644)
    size = sum(f.stat().st_size for f in folder.iterdir())
    std, peak = float(out["long"].std()), float(out["long"].abs().max())
    print(f"{name:24} {size / 1024:6.1f} KiB  std {std:.2f}  max {peak:.1f}  noise {noise:.1e}",
          flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    wanted = tuple(sys.argv[1:]) or ("",)
    seen = set()
    for name, (kind, settings, *storage) in MODELS.items():
        if kind not in seen:
            settings = with_epsilon(kind, settings)
        seen.add(kind)
        if name.startswith(wanted):
            make(name, kind, settings, *storage)
