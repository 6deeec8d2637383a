//! A `config.json` or a GGUF file's settings from strangers, understood as a model: refused by name,
//! or a graph whose every reading is finite. The input is JSON; `"gguf"` beside the settings makes
//! them GGUF's, `"tensors"` gives shapes of tensors the file has.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::{Dialect, Facts, draw, facts::Tensors, plan, schedule};
use serde_json::{Map, Value};

/// The tensors the input claims.
struct Claimed<'a>(&'a Map<String, Value>);

impl Tensors for Claimed<'_> {
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let list = self.0.get(name)?.as_array()?;
        Some(list.iter().take(4).map(|n| n.as_u64().unwrap_or(0) as usize).collect())
    }

    fn table(&self, name: &str) -> Option<Vec<f32>> {
        let list = self.0.get(name)?.as_array()?;
        Some(list.iter().map(|x| x.as_f64().unwrap_or(f64::NAN) as f32).collect())
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(Value::Object(values)) = serde_json::from_slice(data) else { return };
    let gguf = values.contains_key("gguf");
    let dialect = if gguf { Dialect::Gguf } else { Dialect::HuggingFace };
    let kind = if gguf { "general.architecture" } else { "model_type" };
    let architecture = values.get(kind).and_then(Value::as_str).unwrap_or_default();
    let none = Map::new();
    let tensors = Claimed(values.get("tensors").and_then(Value::as_object).unwrap_or(&none));
    let built = model::build(&Facts::new(dialect, architecture, &values, &tensors));
    let model = match built {
        Ok(model) => model,
        Err(error) => {
            let said = error.to_string();
            assert!(!said.is_empty() && said.len() < 1 << 16, "{} bytes of complaint", said.len());
            return;
        }
    };
    assert!(model.layers <= 1024 && model.graph.nodes.len() <= 1 << 17);
    for node in &model.graph.nodes {
        assert!(node.width > 0 && node.inputs.iter().all(|id| *id < model.graph.nodes.len()));
    }
    drop((plan::counts(&model.graph), plan::attention_macs(&model.graph, 1 << 20)));
    drop(plan::buffers(&model.graph));
    for rope in model.graph.ropes.iter().filter(|rope| rope.dims < 1 << 16) {
        for length in [1, 4096] {
            assert_eq!(rope.frequencies(length).turns.len(), rope.dims / 2);
        }
        let _ = (rope.variant(1 << 20), rope.crossing());
    }
    if model.graph.nodes.len() < 4096 {
        let together = schedule::products_together(&model.graph);
        assert_eq!(together.nodes.len(), model.graph.nodes.len());
        drop((draw::mermaid(&model.graph), draw::dot(&model.graph)));
    }
});
