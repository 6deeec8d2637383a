//! Every checkpoint that the references left opens, with the tensors it is said to have.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::{Path, PathBuf};

use weights::{Checkpoint, Container, Kind, Limits, Mapping};

fn files_below(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, out) } else { out.push(path) }
    }
    out.sort();
}

fn unmapped() -> Limits {
    Limits { mapping: Mapping::Read, ..Limits::DEFAULT }
}

/// Tensor names, shapes and bytes as the `safetensors` crate sees them.
fn assert_like_the_oracle(path: &Path, ours: &Checkpoint) {
    let bytes = std::fs::read(path).unwrap();
    let theirs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(theirs.len(), ours.tensors().len(), "{}", path.display());
    for (name, view) in theirs.tensors() {
        let tensor = ours.tensor(&name).unwrap();
        assert_eq!(tensor.shape, view.shape(), "{name}");
        assert_eq!(tensor.dtype.name(), format!("{:?}", view.dtype()), "{name}");
        assert_eq!(ours.bytes(tensor).unwrap(), view.data(), "{name}");
    }
}

#[test]
fn every_safetensors_file_reads_as_the_safetensors_crate_reads_it() {
    let Some(shared) = testkit::data("") else { return };
    let mut files = Vec::new();
    files_below(&shared, &mut files);
    let files: Vec<_> = files
        .into_iter()
        .filter(|path| {
            path.extension().is_some_and(|e| e == "safetensors")
                && !path.to_string_lossy().contains("malformed")
                && !path.ends_with("las7_tiny.safetensors")
                // A shard opens its whole set.
                && !path.to_string_lossy().contains("-of-")
        })
        .collect();
    assert!(files.len() > 100, "{}", files.len());
    for path in &files {
        let mapped = Checkpoint::open(path).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(mapped.container(), Container::Safetensors);
        assert_like_the_oracle(path, &mapped);
        let read = Checkpoint::open_with(path, &unmapped()).unwrap();
        assert_like_the_oracle(path, &read);
    }
}

#[test]
fn every_folder_and_gguf_file_opens() {
    let Some(models) = testkit::data("goldens_open/models") else { return };
    let mut ggufs = 0;
    let mut folders = 0;
    for entry in std::fs::read_dir(models).unwrap() {
        let folder = entry.unwrap().path();
        let model = Checkpoint::open(&folder).unwrap_or_else(|e| panic!("{e}"));
        folders += 1;
        assert_eq!(model.container(), Container::Safetensors);
        assert!(model.metadata().config.contains_key("model_type"), "{}", folder.display());
        assert!(model.metadata().folder().is_some());
        let values: usize = model.logical_tensors().values().map(weights::Logical::elements).sum();
        assert!(values > 1000);
        for path in std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()) {
            if path.extension().is_some_and(|e| e == "gguf") {
                ggufs += 1;
                let gguf = Checkpoint::open(&path).unwrap_or_else(|e| panic!("{e}"));
                assert_eq!(gguf.container(), Container::Gguf);
                let keys = gguf.metadata().gguf().unwrap();
                assert_eq!(
                    gguf.metadata().config["general.architecture"],
                    keys.str("general.architecture").unwrap()
                );
                let tokens = keys.array_str("tokenizer.ggml.tokens").unwrap();
                assert_eq!(tokens.len(), gguf.tensor("token_embd.weight").unwrap().shape[0]);
                let unmapped = Checkpoint::open_with(&path, &unmapped()).unwrap();
                assert_eq!(gguf.tensors(), unmapped.tensors());
                for tensor in gguf.tensors().values() {
                    assert_eq!(gguf.bytes(tensor).unwrap(), unmapped.bytes(tensor).unwrap());
                }
                gguf.unchanged().unwrap();
            }
        }
    }
    assert!(folders >= 34 && ggufs >= 20, "{folders} {ggufs}");
}

#[test]
fn a_sharded_model_is_one_checkpoint() {
    let Some(folder) = testkit::data("goldens_open/models/qwen2") else { return };
    let model = Checkpoint::open(&folder).unwrap();
    assert_eq!(model.files().len(), 3);
    assert_eq!(model.tensor_bytes(), 325_248);
    let index = Checkpoint::open(folder.join("model.safetensors.index.json")).unwrap();
    assert_eq!(index.tensors(), model.tensors());
    let shard = Checkpoint::open(folder.join("model-00002-of-00003.safetensors")).unwrap();
    assert_eq!(shard.tensors(), model.tensors());
    assert!(model.findings().iter().all(
        |f| matches!(f, weights::Finding::FileNotInIndex { file } if file == "goldens.safetensors")
    ));
}

#[test]
fn an_fp8_release_means_its_blocks_times_their_factors() {
    let Some(folder) = testkit::data("quant_goldens/qwen3_fp8") else { return };
    let model = Checkpoint::open(&folder).unwrap();
    let name = "model.layers.0.mlp.down_proj.weight";
    assert!(model.logical("model.layers.0.mlp.down_proj.weight_scale_inv").is_err());
    let logical = model.logical(name).unwrap();
    assert_eq!(logical.shape, [64, 160]);
    assert!(matches!(&logical.kind, Kind::Fp8Blocks { block: [32, 32], .. }));

    let codes = model.bytes(model.tensor(name).unwrap()).unwrap();
    let factors = model.tensor("model.layers.0.mlp.down_proj.weight_scale_inv").unwrap();
    let mut scale = vec![0.0; 10];
    quant::F32.decode(model.bytes(factors).unwrap(), &mut scale).unwrap();
    let mut expected = vec![0.0; 64 * 160];
    quant::F8_E4M3.decode(codes, &mut expected).unwrap();
    for (at, value) in expected.iter_mut().enumerate() {
        *value *= scale[at / 160 / 32 * 5 + at % 160 / 32];
    }
    let mut all = vec![0.0; 64 * 160];
    model.rows_f32(name, 0..64, &mut all).unwrap();
    assert_eq!(all, expected);
    let mut part = vec![0.0; 7 * 160];
    model.rows_f32(name, 30..37, &mut part).unwrap();
    assert_eq!(part, expected[30 * 160..37 * 160]);
    assert!(model.to_blocks(name).is_err());
}

#[test]
fn mxfp4_pairs_become_exact_ggml_blocks() {
    let Some(folder) = testkit::data("goldens_open/models/gpt_oss_mxfp4") else { return };
    let model = Checkpoint::open(&folder).unwrap();
    let plain = Checkpoint::open(folder.join("dequantized_experts.safetensors")).unwrap();
    let mut checked = 0;
    for (name, expected) in plain.logical_tensors() {
        let logical = model.logical(name).unwrap();
        assert!(matches!(logical.kind, Kind::Mxfp4 { .. }));
        assert!(model.logical(&format!("{name}_scales")).is_err());
        let [experts, out, input] = logical.shape[..] else { panic!("{:?}", logical.shape) };
        // The reference's own copy has inputs and outputs exchanged.
        assert_eq!(expected.shape, [experts, input, out]);
        let mut theirs = vec![0.0; expected.elements()];
        plain.rows_f32(name, 0..expected.rows(), &mut theirs).unwrap();
        let mut ours = vec![0.0; logical.elements()];
        model.rows_f32(name, 0..logical.rows(), &mut ours).unwrap();
        for (at, value) in ours.iter().enumerate() {
            let (e, o, i) = (at / out / input, at / input % out, at % input);
            // Equal as numbers: ggml's own decoding gives a negative zero no sign.
            assert_eq!(
                value.partial_cmp(&theirs[(e * input + i) * out + o]),
                Some(std::cmp::Ordering::Equal),
                "{name} {at}"
            );
        }
        let (format, blocks) = model.to_blocks(name).unwrap();
        assert_eq!(format, &quant::MXFP4);
        let rows = model.raw_rows(name, 3..5).unwrap();
        assert_eq!(rows[..], blocks[3 * input / 32 * 17..5 * input / 32 * 17]);
        checked += 1;
    }
    assert_eq!(checked, 8);
}

#[test]
fn files_of_another_tool() {
    let Some(folder) = testkit::data("format_fixtures") else { return };
    let empty = Checkpoint::open(folder.join("las7_empty.gguf")).unwrap();
    assert_eq!(empty.tensors().len(), 0);
    // A header whose data was never written: 64 × 128 values are announced, none are there.
    let error = Checkpoint::open(folder.join("las7_tiny.gguf")).unwrap_err();
    assert_eq!(error.code(), "out-of-range");
    // Five bytes at its end belong to nothing; the safetensors crate refuses it too.
    let path = folder.join("las7_tiny.safetensors");
    assert_eq!(Checkpoint::open(&path).unwrap_err().code(), "gap");
    assert!(safetensors::SafeTensors::deserialize(&std::fs::read(&path).unwrap()).is_err());
}

#[test]
fn every_quantised_file_of_the_reference_tool_opens_and_scans() {
    let Some(folder) = testkit::data("quant_goldens/llama_k256") else { return };
    let mut count = 0;
    for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if path.extension().is_some_and(|e| e == "gguf") {
            count += 1;
            let model = Checkpoint::open(&path).unwrap_or_else(|e| panic!("{e}"));
            for name in model.logical_tensors().keys() {
                let statistics = model.scan(name).unwrap();
                assert_eq!(statistics.non_finite(), 0);
                assert_eq!(statistics.count, model.logical(name).unwrap().elements() as u64);
                assert!(statistics.min <= statistics.max && statistics.std >= 0.0);
            }
        }
    }
    assert_eq!(count, 10);
}

#[test]
fn vocabularies_of_real_models_open() {
    let Some(folder) = testkit::data("vocab_gguf") else { return };
    let mut count = 0;
    for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if path.extension().is_some_and(|e| e == "gguf") {
            let opened = Checkpoint::open(&path).unwrap_or_else(|e| panic!("{e}"));
            let keys = opened.metadata().gguf().unwrap();
            let tokens = keys.array_bytes("tokenizer.ggml.tokens").unwrap().len();
            assert!(tokens > 1000);
            assert_eq!(keys.array_i32("tokenizer.ggml.token_type").unwrap().len(), tokens);
            assert!(!opened.metadata().config.contains_key("tokenizer.ggml.tokens"));
            if keys.has("tokenizer.ggml.scores") {
                assert_eq!(keys.array_f32("tokenizer.ggml.scores").unwrap().len(), tokens);
            }
            count += 1;
        }
    }
    assert!(count > 0);
}

#[test]
fn a_trained_model_is_the_same_in_both_containers() {
    let Some(folder) = testkit::data("stories260K") else { return };
    let plain = Checkpoint::open(folder.join("hf")).unwrap();
    let gguf = Checkpoint::open(folder.join("stories260K-f32.gguf")).unwrap();
    assert_eq!(plain.metadata().config["vocab_size"], 512);
    assert_eq!(
        gguf.metadata().config["llama.block_count"],
        plain.metadata().config["num_hidden_layers"]
    );
    let pairs = [
        ("model.embed_tokens.weight", "token_embd.weight"),
        ("model.norm.weight", "output_norm.weight"),
        ("model.layers.0.mlp.down_proj.weight", "blk.0.ffn_down.weight"),
    ];
    for (ours, theirs) in pairs {
        let (a, b) = (plain.tensor(ours).unwrap(), gguf.tensor(theirs).unwrap());
        assert_eq!(a.shape, b.shape, "{ours}");
        assert_eq!(plain.bytes(a).unwrap(), gguf.bytes(b).unwrap(), "{ours}");
    }
    let quantised = Checkpoint::open(folder.join("stories260K-q8_0.gguf")).unwrap();
    let mut wide = vec![0.0; 64];
    let mut exact = vec![0.0; 64];
    quantised.rows_f32("token_embd.weight", 7..8, &mut wide).unwrap();
    gguf.rows_f32("token_embd.weight", 7..8, &mut exact).unwrap();
    let largest = exact.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    assert!(wide.iter().zip(&exact).all(|(a, b)| (a - b).abs() <= largest / 127.0));
}

#[test]
fn threads_may_share_a_checkpoint() {
    fn shared<T: Send + Sync>() {}
    shared::<Checkpoint>();
}
