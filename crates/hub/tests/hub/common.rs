//! What the tests share: a room, a hub, a client, and eyes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use hub::{Event, Hub, HubSettings, ModelName, Observer};
use tempfile::TempDir;
use testkit::fake_hub::{Content, FakeHub, Repo};

/// A folder with a cache and a home, and a fake hub.
pub(crate) struct Room {
    pub(crate) folder: TempDir,
    pub(crate) fake: FakeHub,
}

impl Room {
    pub(crate) fn new(repo: Repo) -> Room {
        Room { folder: tempfile::tempdir().unwrap(), fake: FakeHub::with(repo) }
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    pub(crate) fn settings(&self) -> HubSettings {
        settings(&self.fake.endpoint(), self.folder.path())
    }

    pub(crate) fn hub(&self) -> Hub {
        Hub::new(self.settings()).unwrap()
    }

    pub(crate) fn hub_with(&self, change: impl FnOnce(&mut HubSettings)) -> Hub {
        let mut settings = self.settings();
        change(&mut settings);
        Hub::new(settings).unwrap()
    }

    /// Nothing of a model can be seen: no snapshot, no branch, no blob under its own name; and nothing
    /// lies outside the store.
    pub(crate) fn assert_nothing_visible(&self) {
        for path in walk(self.folder.path()) {
            let inside =
                path.strip_prefix(self.folder.path()).unwrap().to_string_lossy().into_owned();
            let allowed = inside.starts_with("home/")
                || inside == "cache/CACHEDIR.TAG"
                || inside.starts_with("cache/.locks/")
                || inside.ends_with(".freehold.incomplete")
                || inside.ends_with(".freehold.state");
            // Whole files that were verified may wait there under their hashes.
            let is_whole = inside.contains("/blobs/") && {
                let content = Content::from(fs::read(&path).unwrap());
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                name == content.sha256() || name == content.git()
            };
            assert!(allowed || is_whole, "{inside} is visible");
        }
    }
}

pub(crate) fn settings(endpoint: &str, folder: &Path) -> HubSettings {
    let mut settings = HubSettings::new(folder.join("cache"), folder.join("home"));
    endpoint.clone_into(&mut settings.endpoint);
    settings.limits.pause = Duration::from_millis(5);
    settings.limits.silence = Duration::from_secs(10);
    settings
}

/// All files and links below a folder.
pub(crate) fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut todo = vec![folder.to_path_buf()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                todo.push(path);
            } else {
                out.push(path);
            }
        }
    }
    out.sort();
    out
}

pub(crate) fn name(text: &str) -> ModelName {
    ModelName::parse(text).unwrap()
}

/// Remembers what it hears.
#[derive(Default)]
pub(crate) struct Heard(pub(crate) Mutex<Vec<Event>>);

impl Observer for Heard {
    fn hear(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Heard {
    pub(crate) fn count(&self, fits: impl Fn(&Event) -> bool) -> usize {
        self.0.lock().unwrap().iter().filter(|event| fits(event)).count()
    }

    pub(crate) fn restarts(&self) -> usize {
        self.count(|event| matches!(event, Event::Restarted { .. }))
    }
}

/// A GGUF file that opens: one tensor of `floats` numbers, and a chat template.
pub(crate) fn gguf(floats: usize) -> Vec<u8> {
    let mut writer = weights::GgufWriter::new("llama");
    writer.set("general.license", "apache-2.0");
    writer.set("tokenizer.chat_template", "{{ messages }}");
    writer.tensor("token_embd.weight", &[floats / 32, 32], &quant::F32).unwrap();
    let data: Vec<u8> = (0..floats * 4).map(|at| (at % 251) as u8).collect();
    writer.to_bytes(&[&data]).unwrap()
}

/// A safetensors file of one tensor.
pub(crate) fn safetensors(tensor: &str, floats: usize) -> Vec<u8> {
    let header = format!(
        r#"{{"{tensor}":{{"dtype":"F32","shape":[{floats}],"data_offsets":[0,{}]}}}}"#,
        floats * 4
    );
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend_from_slice(header.as_bytes());
    out.extend((0..floats * 4).map(|at| (at % 249) as u8));
    out
}

pub(crate) const CARD: &str = "---\nlicense: apache-2.0\nbase_model: org/base\n---\n# A model\n";

/// A model as there are many: two quantizations, card, licence, code, pickle.
pub(crate) fn typical() -> Repo {
    Repo::new("org/model-GGUF")
        .small("README.md", CARD)
        .small("LICENSE", "Apache License, Version 2.0")
        .small("run.py", "import os")
        .small(".gitattributes", "*.gguf filter=lfs")
        .large("model-Q4_K_M.gguf", Content::from(gguf(320_000)))
        .large("model-Q8_0.gguf", Content::from(gguf(640_000)))
        .large("pytorch_model.bin", Content::large(5000, 3))
}

/// A model of large patterned bytes under a GGUF name: for what never opens it.
pub(crate) fn large(bytes: u64) -> Repo {
    Repo::new("org/large")
        .small("config.json", "{}")
        .large("large-Q8_0.gguf", Content::large(bytes, 7))
}
