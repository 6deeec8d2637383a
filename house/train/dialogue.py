"""How a conversation becomes text, and the tokenizer.

`render` is `chat_template.jinja` in Python (a test holds them equal); it also says which stretches the model must learn.
The tokenizer is byte-level BPE with Qwen2's way of cutting text first, so that GGUF's `tokenizer.ggml.pre = qwen2` is
exactly right: digits stand alone, which is what makes sums learnable.
"""

import json

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MARKS = ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"]
VOCAB = 4096


def render(messages, tools=None, answer=True):
    """Stretches `(text, learned)` of a conversation; without `answer` the text ends where the assistant must speak."""
    out = []
    system = messages[0]["content"] if messages[0]["role"] == "system" else None
    if tools:
        listed = "".join(json.dumps(t.get("function", t), ensure_ascii=False) + "\n" for t in tools)
        head = "" if system is None else system + "\n\n"
        out.append((f"<|im_start|>system\n{head}Tools:\n{listed}"
                    'Call a tool with <tool_call>{"name": ..., "arguments": {...}}</tool_call>.<|im_end|>\n', False))
    elif system is not None:
        out.append((f"<|im_start|>system\n{system}<|im_end|>\n", False))
    for m in messages[system is not None:]:
        if m["role"] == "assistant":
            out += [("<|im_start|>assistant\n", False), (m["content"] + "<|im_end|>", True), ("\n", False)]
        elif m["role"] == "tool":
            out.append((f"<|im_start|>user\n<tool_response>\n{m['content']}\n</tool_response><|im_end|>\n", False))
        else:
            out.append((f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n", False))
    if not answer:
        out.append(("<|im_start|>assistant\n", False))
    return out


def prompt_text(messages, tools=None):
    """The whole prompt that ends with the opening of the assistant's turn."""
    return "".join(t for t, _ in render(messages, tools, answer=False))


def bpe(texts):
    """Trains the tokenizer on an iterator of texts."""
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCAB - len(MARKS), special_tokens=SPECIAL, show_progress=False, min_frequency=2,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tok.train_from_iterator(texts, trainer)
    tok.add_tokens([AddedToken(m, normalized=False) for m in MARKS])
    return tok
