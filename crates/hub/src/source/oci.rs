//! Model artifacts in OCI registries: ModelPack (CNCF) and Docker's models.
//!
//! The manifest is fetched by tag or digest and hashed; every layer is named by its sha256, so the rest
//! is content-addressed. Foreign `urls` are not followed. A registry that wants a token says so with
//! `WWW-Authenticate`; the login, if there is one, goes only to the registry or a host of its own
//! domain. Specification: OCI distribution 1.1, Docker registry token authentication.

use weights::shown;

use super::{
    Source,
    manifest::{Layer, Manifest, Sound},
};
use crate::{
    About, Digest, Error, Hub, ListedFile, Listing, ModelName, Token, archive,
    listing::{Bytes, Remote, Secret},
    name::Place,
    settings::Registry,
    transport::{Answer, Ask},
    url::{Origin, Url, encode_query},
};

pub(super) const SOURCE: Source = Source {
    scheme: "oci",
    what: "a model artifact in an OCI registry (ModelPack, Docker)",
    form: "oci://ghcr.io/org/model:1.0",
    list,
};

const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
                      application/vnd.docker.distribution.manifest.v2+json, \
                      application/vnd.docker.distribution.manifest.list.v2+json";

fn list(hub: &Hub, name: &ModelName) -> Result<Listing, Error> {
    let Place::Oci { registry, repository } = &name.place else {
        return Err(Error::Name { name: name.to_string(), why: "not in a registry".to_owned() });
    };
    let mut session = Session::open(hub, name, registry, repository)?;
    let reference = name.revision_or_default().to_owned();
    let limits = hub.settings().limits;
    let (mut manifest, mut bytes, mut place) = session.manifest(&reference)?;
    if manifest.layers.is_empty() && !manifest.manifests.is_empty() {
        // An index of one model; indexes of indexes are refused below.
        let chosen = choose(&manifest.manifests, &place)?;
        let digest = chosen.check(&place, &limits)?.digest;
        (manifest, bytes, place) = session.manifest(&digest.to_string())?;
    }
    if manifest.layers.is_empty() {
        let what = format!("the manifest of {name}");
        return Err(Error::Unsupported { what, why: "it has no layers".to_owned() });
    }
    let mut files: Vec<ListedFile> = Vec::new();
    for layer in &manifest.layers {
        let layer = layer.check(&place, &limits)?;
        let remote =
            Remote { url: session.blob_url(&layer.digest), secret: session.secret(), commit: None };
        match Form::of(&layer)? {
            Form::File(path) => {
                files.push(ListedFile {
                    path,
                    bytes: layer.bytes,
                    digest: layer.digest,
                    origin: Bytes::Remote(remote),
                });
            }
            Form::Tar => {
                let body = session.blob(&layer)?;
                for (path, bytes) in archive::files(&body, &place, &limits)? {
                    let digest = Digest::sha256_of(&bytes);
                    files.push(ListedFile {
                        path,
                        bytes: bytes.len() as u64,
                        digest,
                        origin: Bytes::Inline(bytes),
                    });
                }
            }
        }
    }
    let mut about = About::default();
    if let Some(config) = &manifest.config {
        about.licences = session.licences(config, &place)?;
    }
    let commit = Digest::sha256_of(&bytes).hex()[..40].to_owned();
    Listing { name: name.clone(), revision: reference, commit, files, about }.checked()
}

fn choose<'a>(lines: &'a [Layer], place: &str) -> Result<&'a Layer, Error> {
    let is_manifest = |line: &&Layer| {
        line.media_type.ends_with(".manifest.v1+json")
            || line.media_type.ends_with(".manifest.v2+json")
    };
    match lines.iter().filter(is_manifest).collect::<Vec<_>>().as_slice() {
        [only] => Ok(only),
        several => Err(Error::Unsupported {
            what: format!("an index with {} manifests at {place}", several.len()),
            why: "name the one that is meant by its digest".to_owned(),
        }),
    }
}

/// How a layer holds files.
enum Form {
    /// It is one file, of this path.
    File(String),
    /// It is an archive.
    Tar,
}

impl Form {
    fn of(layer: &Sound) -> Result<Form, Error> {
        let kind = layer.media_type.as_str();
        let refuse = |why: &str| {
            Err(Error::Unsupported {
                what: format!("a layer of the type `{}`", shown(kind)),
                why: why.to_owned(),
            })
        };
        if kind.contains("gzip") || kind.contains("zstd") {
            return refuse(
                "compressed layers are not unpacked: weights hardly shrink, and bombs grow",
            );
        }
        if crate::select::has_extension(kind, "tar") {
            return Ok(Form::Tar);
        }
        if let Some(title) = &layer.title {
            return Ok(Form::File(title.clone()));
        }
        let name = match kind {
            "application/vnd.docker.ai.gguf.v3" | "application/vnd.cncf.model.weight.v1.gguf" => {
                "model.gguf"
            }
            "application/vnd.docker.ai.safetensors"
            | "application/vnd.cncf.model.weight.v1.safetensors" => "model.safetensors",
            "application/vnd.docker.ai.mmproj" => "mmproj.gguf",
            "application/vnd.docker.ai.license" => "LICENSE",
            "application/vnd.docker.ai.chat.template.jinja" => "chat_template.jinja",
            _ => return refuse("it has no file name, and its type does not imply one"),
        };
        Ok(Form::File(name.to_owned()))
    }
}

/// One conversation with a registry about one repository.
struct Session<'a> {
    hub: &'a Hub,
    name: &'a ModelName,
    base: Url,
    repository: &'a str,
    login: Option<&'a Registry>,
    token: Option<Token>,
}

impl<'a> Session<'a> {
    fn open(
        hub: &'a Hub,
        name: &'a ModelName,
        registry: &str,
        repository: &'a str,
    ) -> Result<Session<'a>, Error> {
        // Docker's own name is not the name of its server.
        let host = if registry == "docker.io" { "registry-1.docker.io" } else { registry };
        let secure = Url::parse(&format!("https://{host}/"))?;
        // Only this computer itself may speak plainly.
        let base = if secure.origin().is_loopback() {
            Url::parse(&format!("http://{host}/"))?
        } else {
            secure
        };
        let login = hub
            .settings()
            .registries
            .iter()
            .find(|login| login.host.eq_ignore_ascii_case(registry));
        Ok(Session { hub, name, base, repository, login, token: None })
    }

    fn secret(&self) -> Secret {
        self.token.clone().map_or(Secret::None, Secret::Given)
    }

    fn blob_url(&self, digest: &Digest) -> String {
        format!("{}v2/{}/blobs/{digest}", self.base.as_str(), self.repository)
    }

    fn manifest(&mut self, reference: &str) -> Result<(Manifest, Vec<u8>, String), Error> {
        let limits = self.hub.settings().limits;
        let text = format!("{}v2/{}/manifests/{reference}", self.base.as_str(), self.repository);
        let answer = self.get(&text, Some(ACCEPT))?.check(&self.name.to_string())?;
        let stated = answer.header("docker-content-digest").map(str::to_owned);
        let place = answer.url.to_string();
        let bytes = answer.bytes(limits.json_bytes.min(4 << 20))?;
        let found = Digest::sha256_of(&bytes);
        let expected =
            if reference.starts_with("sha256:") { Some(reference.to_owned()) } else { stated };
        if let Some(expected) = expected {
            let digest = Digest::parse_sha256(&expected).ok_or_else(|| Error::Answer {
                url: place.clone(),
                why: format!("the digest of the manifest is `{}`", shown(&expected)),
            })?;
            if digest != found {
                return Err(Error::Mismatch {
                    file: format!("the manifest of {}", self.name),
                    expected: digest,
                    found,
                });
            }
        }
        let manifest = Manifest::parse(&bytes, &place, &limits)?;
        let kind = manifest.media_type.as_deref().unwrap_or_default();
        if reference.starts_with("sha256:")
            && (kind.contains("index") || kind.contains("list"))
            && manifest.layers.is_empty()
            && self.name.revision_or_default() != reference
        {
            return Err(Error::Unsupported {
                what: format!("an index inside an index at {place}"),
                why: "a model is one manifest".to_owned(),
            });
        }
        Ok((manifest, bytes, place))
    }

    /// A small blob, hashed.
    fn blob(&mut self, layer: &Sound) -> Result<Vec<u8>, Error> {
        let max = self.hub.settings().limits.text_bytes;
        if layer.bytes > max {
            return Err(Error::OverLimit {
                what: "bytes of an archive that is unpacked in memory".to_owned(),
                found: layer.bytes,
                max,
            });
        }
        let url = self.blob_url(&layer.digest);
        let bytes = self.get(&url, None)?.check(&url)?.bytes(layer.bytes)?;
        let found = Digest::sha256_of(&bytes);
        if found == layer.digest {
            Ok(bytes)
        } else {
            Err(Error::Mismatch { file: url, expected: layer.digest, found })
        }
    }

    /// The licences that a ModelPack configuration states.
    fn licences(&mut self, config: &Layer, place: &str) -> Result<Vec<String>, Error> {
        if !config.media_type.starts_with("application/vnd.cncf.model.config") || config.size == 0 {
            return Ok(Vec::new());
        }
        let limits = self.hub.settings().limits;
        let bytes = self.blob(&config.check(place, &limits)?)?;
        let value: serde_json::Value = crate::transport::parse_json(&bytes, limits.json_bytes)
            .map_err(|why| Error::Answer { url: place.to_owned(), why })?;
        let stated = value.pointer("/descriptor/licenses").and_then(|list| list.as_array());
        Ok(stated
            .into_iter()
            .flatten()
            .filter_map(|text| text.as_str())
            .map(shown)
            .take(64)
            .collect())
    }

    /// Asks the registry, with the token it wants once it has said so.
    fn get(&mut self, text: &str, accept: Option<&str>) -> Result<Answer, Error> {
        let url = Url::parse(text)?;
        let client = self.hub.client(&url, &Secret::None, || self.name.to_string())?;
        let bearer = self.token.as_ref().map(Token::bearer);
        let answer =
            client.send(&Ask { accept, authorization: bearer.as_deref(), ..Ask::get(&url) })?;
        if answer.status != 401 || self.token.is_some() {
            return Ok(answer);
        }
        let challenge = answer.header("www-authenticate").unwrap_or_default().to_owned();
        self.token = Some(self.authenticate(&challenge)?);
        let bearer = self.token.as_ref().map(Token::bearer);
        client.send(&Ask { accept, authorization: bearer.as_deref(), ..Ask::get(&url) })
    }

    fn authenticate(&self, challenge: &str) -> Result<Token, Error> {
        let fault = |why: &str| Error::Answer { url: self.base.to_string(), why: why.to_owned() };
        let fields = challenge
            .strip_prefix("Bearer ")
            .ok_or_else(|| fault("it wants a login of a kind that is not known here"))?;
        let field = |name: &str| {
            fields.split(',').find_map(|part| {
                let (key, value) = part.trim().split_once('=')?;
                (key == name).then(|| value.trim_matches('"').to_owned())
            })
        };
        let realm =
            field("realm").ok_or_else(|| fault("it wants a token and does not say from where"))?;
        let scope = format!("repository:{}:pull", self.repository);
        let mut text = format!(
            "{realm}{}scope={}",
            if realm.contains('?') { '&' } else { '?' },
            encode_query(&scope)
        );
        if let Some(service) = field("service") {
            text.push_str("&service=");
            text.push_str(&encode_query(&service));
        }
        let url = Url::parse(&text)?;
        let is_inside = self.base.origin().is_loopback() && url.origin().is_loopback();
        if !(url.origin().secure || is_inside) {
            let why = "the place that gives tokens has to be https";
            return Err(Error::Insecure { url: url.to_string(), why });
        }
        let login = self.login.filter(|_| same_domain(url.origin(), self.base.origin()));
        let basic = login.map(|login| {
            format!(
                "Basic {}",
                base64(format!("{}:{}", login.user, login.password.reveal()).as_bytes())
            )
        });
        let client = self.hub.client(&url, &Secret::None, || self.name.to_string())?;
        let answer = client
            .send(&Ask { authorization: basic.as_deref(), ..Ask::get(&url) })?
            .check(&self.name.to_string())?;
        let value: serde_json::Value = answer.json()?;
        let token = value
            .get("token")
            .or_else(|| value.get("access_token"))
            .and_then(|token| token.as_str());
        Token::new(token.unwrap_or_default())
            .map_err(|_| fault("it gave no token that can be used"))
    }
}

/// The same host, or one of the same registered domain: the last two labels.
fn same_domain(a: &Origin, b: &Origin) -> bool {
    let domain = |host: &str| host.rsplit('.').take(2).map(str::to_owned).collect::<Vec<_>>();
    let named = |host: &str| {
        host.contains('.') && !host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    a.host == b.host || (named(&a.host) && named(&b.host) && domain(&a.host) == domain(&b.host))
}

/// RFC 4648, for the one header that wants it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, &byte| word << 8 | u32::from(byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_stays_in_its_domain() {
        let origin = |host: &str| Origin { secure: true, host: host.into(), port: 443 };
        assert!(same_domain(&origin("auth.docker.io"), &origin("registry-1.docker.io")));
        assert!(same_domain(&origin("ghcr.io"), &origin("ghcr.io")));
        assert!(!same_domain(&origin("evil.org"), &origin("ghcr.io")));
        assert!(!same_domain(&origin("9.0.0.1"), &origin("8.0.0.1")));
        assert_eq!(
            ["", "f", "fo", "foo", "foob"].map(|t| base64(t.as_bytes())),
            ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]
        );
    }
}
