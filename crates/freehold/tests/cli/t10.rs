//! T10 of the governance notes: absurd requests are refused by name, before a weight is read.

use crate::support::{gguf, hf, run, run_with};

fn refused(arguments: &[&str], code: i32, words: &[&str]) {
    for model in [gguf(), hf()] {
        let begun = std::time::Instant::now();
        run(&[&["run", model, "--raw", "hello"], arguments].concat()).refused(code, words);
        assert!(begun.elapsed().as_secs() < 2, "{arguments:?}");
    }
}

#[test]
fn t10_prompt_longer_than_the_context_says_both_numbers() {
    let long = "x".repeat(300);
    for model in [gguf(), hf()] {
        run(&["run", model, "--raw", &long])
            .refused(3, &["the prompt has 300 tokens", "the context holds 128"]);
        run(&["run", model, "--raw", &long, "--ctx", "64"]).refused(3, &["300", "64"]);
        run(&["logits", model, "--prompt", &long]).refused(3, &["300", "128"]);
        let shifted =
            run(&["run", model, "--raw", &long, "--overflow", "shift", "-n", "150", "--json"]);
        assert_eq!(shifted.code, 0, "{}", shifted.err);
        assert!(shifted.json()["usage"]["completion_tokens"].as_u64().unwrap() > 0);
    }
}

#[test]
fn t10_max_tokens() {
    for bad in
        ["0", "-1", "9223372036854775808", "18446744073709551616", "1000000000", "five", "1.5"]
    {
        refused(&["--max-tokens", bad], 2, &["--max-tokens", bad]);
    }
}

#[test]
fn t10_temperature() {
    for bad in ["nan", "inf", "-inf", "-1", "1e300"] {
        refused(&["--temperature", bad], 2, &["temperature", "expected"]);
    }
}

#[test]
fn t10_sampler_numbers() {
    for (flag, bad) in [
        ("--top-k", "-1"),
        ("--top-k", "1.5"),
        ("--top-k", "9223372036854775808"),
        ("--top-p", "1.1"),
        ("--top-p", "-0.1"),
        ("--top-p", "nan"),
        ("--min-p", "2"),
        ("--typical", "nan"),
        ("--repetition-penalty", "0"),
        ("--presence-penalty", "inf"),
        ("--frequency-penalty", "-1000"),
        ("--dry-base", "0.5"),
        ("--xtc-probability", "7"),
        ("--mirostat-tau", "0"),
        ("--logprobs", "1000000"),
    ] {
        let name = flag.trim_start_matches('-').replace('-', "_");
        refused(&[flag, bad], 2, &[&name, "expected"]);
    }
}

#[test]
fn t10_seed_and_logit_bias() {
    for bad in ["-1", "1.5", "18446744073709551616"] {
        refused(&["--seed", bad], 2, &["--seed"]);
    }
    for bad in ["5", "x=1", "5=nan", "5=1e9"] {
        refused(&["--logit-bias", bad], 2, &["bias"]);
    }
    refused(&["--logit-bias", "5=1", "--logit-bias", "5=2"], 2, &["token 5 twice"]);
    refused(&["--logit-bias", "100000=1"], 2, &["token 100000"]);
}

#[test]
fn t10_stop_strings() {
    refused(&["--stop", ""], 2, &["--stop is empty"]);
    let many: Vec<&str> = (0..10_000).flat_map(|_| ["--stop", "x"]).collect();
    refused(&many, 2, &["10000 times", "at most 64"]);
}

#[test]
fn t10_context_and_threads() {
    for bad in ["0", "-5", "99999999999"] {
        refused(&["--ctx", bad], 2, &["--ctx"]);
        refused(&["--threads", bad], 2, &["--threads"]);
    }
    refused(&["--ctx", "129"], 2, &["--ctx is 129", "128"]);
}

#[test]
fn t10_ids() {
    for model in [gguf(), hf()] {
        run(&["run", model, "--ids", "1,260"]).refused(2, &["token 260", "260"]);
        run(&["logits", model, "--ids", "1,260"]).refused(2, &["token 260"]);
        run(&["tokenize", model, "--decode", "99999"]).refused(2, &["99999"]);
        run(&["logits", model, "--ids", ""]).refused(2, &["no id"]);
        run(&["logits", model, "--ids", "1,-2"]).refused(2, &["-2"]);
        run(&["logits", model]).refused(2, &["--prompt"]);
        run(&["logits", model, "--prompt", "a", "--ids", "1"]).refused(2, &["cannot be used"]);
        run(&["logits", model, "--prompt", "a", "--top", "-1"]).refused(2, &["--top"]);
    }
}

#[test]
fn t9_input_that_is_no_text() {
    for bad in [&b"ab\xff"[..], b"ab\xc0\x80", b"ab\xed\xa0\x80", b"ab\xf0\x9f\xa6"] {
        run_with(bad, &["run", gguf(), "--raw"]).refused(2, &["no UTF-8", "byte 2"]);
        run_with(bad, &["tokenize", gguf()]).refused(2, &["no UTF-8", "byte 2"]);
    }
    for odd in [&b"a\0b"[..], b"\xef\xbb\xbfhi"] {
        let done = run_with(odd, &["tokenize", gguf(), "--json"]);
        assert_eq!((done.code, done.json()["ids"].as_array().unwrap().len()), (0, odd.len()));
    }
}
