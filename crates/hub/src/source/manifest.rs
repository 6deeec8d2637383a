//! The manifest that Docker, OCI registries and Ollama share: a list of layers, each named by its hash.
//!
//! Specifications: OCI image manifest; ModelPack (CNCF); Docker's model artifacts; Ollama's store.

use std::collections::BTreeMap;

use serde::Deserialize;
use weights::shown;

use crate::{Digest, Error, Limits, transport::parse_json};

/// What a manifest says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) schema_version: u32,
    #[serde(default)]
    pub(super) media_type: Option<String>,
    #[serde(default)]
    pub(super) config: Option<Layer>,
    #[serde(default)]
    pub(super) layers: Vec<Layer>,
    /// Of an index: the manifests to choose from.
    #[serde(default)]
    pub(super) manifests: Vec<Layer>,
}

/// A layer, the configuration, or a line of an index. `urls` is not read: bytes come from the registry.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Layer {
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
}

/// A layer whose hash and size were checked for form.
#[derive(Debug, Clone)]
pub(super) struct Sound {
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) bytes: u64,
    /// The file name the publisher gave it.
    pub(super) title: Option<String>,
}

impl Manifest {
    pub(super) fn parse(bytes: &[u8], place: &str, limits: &Limits) -> Result<Manifest, Error> {
        let fault = |why: String| Error::Answer { url: place.to_owned(), why };
        let manifest: Manifest = parse_json(bytes, limits.json_bytes).map_err(fault)?;
        if manifest.schema_version != 2 {
            return Err(fault(format!(
                "a manifest of version {}, expected 2",
                manifest.schema_version
            )));
        }
        let count = manifest.layers.len().max(manifest.manifests.len());
        if count > limits.layers {
            let what = format!("layers of {place}");
            return Err(Error::OverLimit { what, found: count as u64, max: limits.layers as u64 });
        }
        Ok(manifest)
    }
}

impl Layer {
    pub(super) fn check(&self, place: &str, limits: &Limits) -> Result<Sound, Error> {
        let digest = Digest::parse_sha256(&self.digest).ok_or_else(|| Error::Answer {
            url: place.to_owned(),
            why: format!(
                "the hash of a layer is `{}`, expected `sha256:` and 64 hexadecimal digits",
                shown(&self.digest)
            ),
        })?;
        if self.size > limits.file_bytes {
            return Err(Error::OverLimit {
                what: format!("bytes of a layer of {place}"),
                found: self.size,
                max: limits.file_bytes,
            });
        }
        let title = ["org.cncf.model.filepath", "org.opencontainers.image.title"]
            .iter()
            .find_map(|key| self.annotations.get(*key))
            .cloned();
        Ok(Sound { media_type: self.media_type.clone(), digest, bytes: self.size, title })
    }
}
