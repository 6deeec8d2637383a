//! Finds the house model at build time: it is built into the program where it lies in the checkout.

use std::{env, fs, path::Path};

/// Where the trainer puts it, from the root of the workspace.
const HOUSE: &str = "../../house/release/freehold-house-q8_0.gguf";

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo names the crate's folder");
    let out = env::var("OUT_DIR").expect("cargo names a folder for output");
    let model = Path::new(&root).join(HOUSE);
    println!("cargo::rerun-if-changed={}", model.display());
    println!("cargo::rerun-if-changed=build.rs");
    let source = match model.canonicalize() {
        Ok(path) => format!("Some(include_bytes!({:?}))", path.display().to_string()),
        Err(_) => "None".to_owned(),
    };
    fs::write(Path::new(&out).join("house.rs"), source)
        .expect("the folder for output can be written");
}
