//! A small OCI registry: manifests by tag and digest, blobs by digest, tokens on demand.

use serde_json::{Value, json};

use super::{
    Content, Quirk, Shared, World,
    http::{Reply, Request},
};

/// A model artifact.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// The manifest.
    pub manifest: Value,
    /// The blobs.
    pub blobs: Vec<Content>,
    /// Whether a token is needed: its value.
    pub token: Option<String>,
}

impl Artifact {
    /// An artifact without layers, of the media type of ModelPack.
    pub fn new() -> Artifact {
        let config = Content::from(br#"{"descriptor":{"licenses":["Apache-2.0"]}}"#.to_vec());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": "application/vnd.cncf.model.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.cncf.model.config.v1+json",
                "digest": format!("sha256:{}", config.sha256()),
                "size": config.len(),
            },
            "layers": [],
        });
        Artifact { manifest, blobs: vec![config], token: None }
    }

    /// With a layer; `path` is what the publisher calls the file.
    #[must_use]
    pub fn layer(mut self, media_type: &str, path: Option<&str>, content: Content) -> Artifact {
        let mut layer = json!({
            "mediaType": media_type,
            "digest": format!("sha256:{}", content.sha256()),
            "size": content.len(),
        });
        if let Some(path) = path {
            layer["annotations"] = json!({ "org.cncf.model.filepath": path });
        }
        if let Some(layers) = self.manifest["layers"].as_array_mut() {
            layers.push(layer);
        }
        self.blobs.push(content);
        self
    }

    /// Only for those who fetch this token.
    #[must_use]
    pub fn locked(mut self, token: &str) -> Artifact {
        self.token = Some(token.to_owned());
        self
    }
}

impl Default for Artifact {
    fn default() -> Artifact {
        Artifact::new()
    }
}

/// Answers below `/v2/` and at `/token`.
pub(super) fn answer(path: &str, request: &Request, shared: &Shared, world: &World) -> Reply {
    let missing = || Reply::text(404, "nothing here");
    if path == "/token" {
        let scope = request.query("scope").unwrap_or_default();
        let repository = scope
            .strip_prefix("repository:")
            .and_then(|rest| rest.split(':').next())
            .unwrap_or_default();
        let token = world
            .artifacts
            .iter()
            .find(|((held, _), _)| held == repository)
            .and_then(|(_, artifact)| artifact.token.clone());
        return token.map_or_else(missing, |token| Reply::json(&json!({ "token": token })));
    }
    let Some(rest) = path.strip_prefix("/v2/") else { return missing() };
    let (repository, kind, reference) =
        match (rest.rsplit_once("/manifests/"), rest.rsplit_once("/blobs/")) {
            (Some((repository, reference)), _) => (repository, "manifest", reference),
            (_, Some((repository, reference))) => (repository, "blob", reference),
            _ => return missing(),
        };
    let mut held = world.artifacts.iter().filter(|((held, _), _)| held == repository);
    let wanted = held.clone().any(|(_, artifact)| {
        artifact.token.as_ref().is_some_and(|token| {
            request.header("authorization") != Some(&format!("Bearer {token}"))
        })
    });
    if wanted {
        let challenge = format!(
            "Bearer realm=\"http://{}/token\",service=\"fake\",scope=\"repository:{repository}:pull\"",
            shared.hub
        );
        return Reply::text(401, "who are you").with("WWW-Authenticate", challenge);
    }
    if kind == "manifest" {
        let found = held.find_map(|((_, tag), artifact)| {
            let bytes = artifact.manifest.to_string().into_bytes();
            let digest = format!("sha256:{}", Content::from(bytes.clone()).sha256());
            (tag == reference || digest == reference).then_some((bytes, digest))
        });
        let Some((bytes, digest)) = found else { return missing() };
        let lie = world.quirk(|quirk| match quirk {
            Quirk::ManifestIs(bytes) => Some(bytes.clone()),
            _ => None,
        });
        return Reply::new(200, Content::from(lie.unwrap_or(bytes)))
            .with("Content-Type", "application/vnd.oci.image.manifest.v1+json")
            .with("Docker-Content-Digest", digest);
    }
    let content = held
        .flat_map(|(_, artifact)| &artifact.blobs)
        .find(|blob| format!("sha256:{}", blob.sha256()) == reference);
    content.map_or_else(missing, |content| {
        super::routes::file(request, world, "blob", content.clone(), None)
    })
}
