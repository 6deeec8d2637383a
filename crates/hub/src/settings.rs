//! Everything a hub needs to be told, typed. This library reads no environment: the program does, and
//! hands what it found to [`HubSettings::from_env`], which is a pure function of it.

use std::path::{Path, PathBuf};

use crate::{Error, Limits, Token};

/// Where models come from when a name does not say it.
pub const ENDPOINT: &str = "https://huggingface.co";

/// Whether sockets may be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The network may be used.
    Online,
    /// No socket is opened, whatever is asked.
    Offline,
}

/// A login at an OCI registry.
#[derive(Debug, Clone)]
pub struct Registry {
    /// Host, with its port if it is not the usual one.
    pub host: String,
    /// The account.
    pub user: String,
    /// Its password or token.
    pub password: Token,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct HubSettings {
    /// The Hugging Face-compatible server, without a trailing `/`.
    pub endpoint: String,
    /// The token for that server; sent to it alone.
    pub token: Option<Token>,
    /// Where the token lies when it is not given, as `hf auth login` leaves it.
    pub token_file: Option<PathBuf>,
    /// The Hugging Face cache: the store.
    pub cache: PathBuf,
    /// Where Freehold keeps its own files: what was verified, aliases, headers of remote models.
    pub home: PathBuf,
    /// The folder of an Ollama installation that holds `manifests` and `blobs`.
    pub ollama: Option<PathBuf>,
    /// Whether sockets may be opened.
    pub access: Access,
    /// The proxy of all requests, as an address.
    pub proxy: Option<String>,
    /// Hosts that are reached without it: `host`, `.domain`, `*`.
    pub no_proxy: Vec<String>,
    /// A PEM file of certificate authorities that are trusted instead of the built-in ones.
    pub authorities: Option<PathBuf>,
    /// Logins at OCI registries.
    pub registries: Vec<Registry>,
    /// Connections of one download.
    pub connections: usize,
    /// What a server may send at most.
    pub limits: Limits,
}

impl HubSettings {
    /// Settings without any of the defaults that an environment gives.
    pub fn new(cache: impl Into<PathBuf>, home: impl Into<PathBuf>) -> HubSettings {
        HubSettings {
            endpoint: ENDPOINT.to_owned(),
            token: None,
            token_file: None,
            cache: cache.into(),
            home: home.into(),
            ollama: None,
            access: Access::Online,
            proxy: None,
            no_proxy: Vec::new(),
            authorities: None,
            registries: Vec::new(),
            connections: 4,
            limits: Limits::DEFAULT,
        }
    }

    /// What the environment says, by the names and defaults of `huggingface_hub`, curl and Ollama:
    /// `HF_ENDPOINT`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HUB_DISABLE_IMPLICIT_TOKEN`, `HF_HOME`,
    /// `HF_HUB_CACHE`, `HF_HUB_OFFLINE`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`,
    /// `REQUESTS_CA_BUNDLE`, `OLLAMA_MODELS`, `XDG_CACHE_HOME`, `HOME`, `FREEHOLD_HOME`.
    ///
    /// A value that cannot be understood is an error, never a default.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<HubSettings, Error> {
        let get = |name: &str| get(name).filter(|value| !value.trim().is_empty());
        let first = |names: &[&str]| names.iter().find_map(|name| get(name));
        let user = first(&["HOME", "USERPROFILE"]).map(PathBuf::from);
        let path = |text: String| expand(&text, user.as_deref());
        let need = || {
            user.clone()
                .ok_or(Error::Setting { what: "HOME", why: "no home folder is known".to_owned() })
        };

        let hf_home = match (get("HF_HOME"), get("XDG_CACHE_HOME")) {
            (Some(text), _) => path(text),
            (None, Some(cache)) => path(cache).join("huggingface"),
            (None, None) => need()?.join(".cache").join("huggingface"),
        };
        let cache = first(&["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"])
            .map_or_else(|| hf_home.join("hub"), path);
        let home = match (get("FREEHOLD_HOME"), get("XDG_DATA_HOME")) {
            (Some(text), _) => path(text),
            (None, Some(data)) => path(data).join("freehold"),
            (None, None) => need()?.join(".local").join("share").join("freehold"),
        };
        let mut settings = HubSettings::new(cache, home);
        if let Some(endpoint) = get("HF_ENDPOINT") {
            endpoint.trim().trim_end_matches('/').clone_into(&mut settings.endpoint);
        }
        if let Some(token) = first(&["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]) {
            settings.token = Some(Token::new(&token)?);
        } else if !is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN", get("HF_HUB_DISABLE_IMPLICIT_TOKEN"))? {
            settings.token_file =
                Some(get("HF_TOKEN_PATH").map_or_else(|| hf_home.join("token"), path));
        }
        if is_true("HF_HUB_OFFLINE", get("HF_HUB_OFFLINE"))?
            || is_true("TRANSFORMERS_OFFLINE", get("TRANSFORMERS_OFFLINE"))?
        {
            settings.access = Access::Offline;
        }
        let plain = settings.endpoint.starts_with("http://");
        settings.proxy = if plain {
            first(&["http_proxy", "ALL_PROXY", "all_proxy"])
        } else {
            first(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
        };
        settings.no_proxy = first(&["NO_PROXY", "no_proxy"])
            .map(|text| {
                text.split(',')
                    .map(|host| host.trim().to_owned())
                    .filter(|host| !host.is_empty())
                    .collect()
            })
            .unwrap_or_default();
        settings.authorities =
            first(&["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]).map(path);
        settings.ollama = get("OLLAMA_MODELS")
            .map(path)
            .or_else(|| Some(user.clone()?.join(".ollama").join("models")));
        Ok(settings)
    }
}

/// The values Python's client takes for yes; what is neither yes nor no is an error.
fn is_true(what: &'static str, value: Option<String>) -> Result<bool, Error> {
    let Some(value) = value else { return Ok(false) };
    match value.trim().to_ascii_uppercase().as_str() {
        "1" | "ON" | "YES" | "TRUE" => Ok(true),
        "0" | "OFF" | "NO" | "FALSE" => Ok(false),
        _ => Err(Error::Setting {
            what,
            why: format!("it is `{}`, expected 1 or 0", weights::shown(&value)),
        }),
    }
}

fn expand(text: &str, user: Option<&Path>) -> PathBuf {
    match (text.strip_prefix("~/"), user) {
        (Some(rest), Some(user)) => user.join(rest),
        _ => PathBuf::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<HubSettings, Error> {
        HubSettings::from_env(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_bare_environment_gives_the_places_python_uses() {
        let settings = with(&[("HOME", "/home/a")]).unwrap();
        assert_eq!(settings.endpoint, "https://huggingface.co");
        assert_eq!(settings.cache, Path::new("/home/a/.cache/huggingface/hub"));
        assert_eq!(
            settings.token_file.as_deref(),
            Some(Path::new("/home/a/.cache/huggingface/token"))
        );
        assert_eq!(settings.home, Path::new("/home/a/.local/share/freehold"));
        assert_eq!(settings.ollama.as_deref(), Some(Path::new("/home/a/.ollama/models")));
        assert_eq!(settings.access, Access::Online);
        assert!(with(&[]).is_err(), "without any home there is no place to guess");
    }

    #[test]
    fn every_variable_is_honoured() {
        let settings = with(&[
            ("HOME", "/home/a"),
            ("HF_ENDPOINT", "https://mirror.example/ "),
            ("HF_TOKEN", "hf_x"),
            ("HF_HOME", "~/hf"),
            ("HF_HUB_OFFLINE", "yes"),
            ("HTTPS_PROXY", "http://proxy:3128"),
            ("NO_PROXY", "localhost, .corp"),
            ("SSL_CERT_FILE", "/ca.pem"),
            ("FREEHOLD_HOME", "/fh"),
            ("OLLAMA_MODELS", "/o"),
        ])
        .unwrap();
        assert_eq!(settings.endpoint, "https://mirror.example");
        assert_eq!(settings.token.map(|token| token.bearer()), Some("Bearer hf_x".to_owned()));
        assert_eq!(settings.token_file, None);
        assert_eq!(settings.cache, Path::new("/home/a/hf/hub"));
        assert_eq!(settings.access, Access::Offline);
        assert_eq!(settings.proxy.as_deref(), Some("http://proxy:3128"));
        assert_eq!(settings.no_proxy, ["localhost", ".corp"]);
        assert_eq!(settings.authorities.as_deref(), Some(Path::new("/ca.pem")));
        assert_eq!(settings.home, Path::new("/fh"));
        assert_eq!(settings.ollama.as_deref(), Some(Path::new("/o")));
        let cache = with(&[("HOME", "/h"), ("HF_HUB_CACHE", "/c")]).unwrap().cache;
        assert_eq!(cache, Path::new("/c"));
    }

    #[test]
    fn i11_a_switch_that_is_neither_on_nor_off_is_an_error() {
        assert!(matches!(
            with(&[("HOME", "/h"), ("HF_HUB_OFFLINE", "maybe")]),
            Err(Error::Setting { what: "HF_HUB_OFFLINE", .. })
        ));
        assert!(with(&[("HOME", "/h"), ("HF_TOKEN", "a b")]).is_err());
    }
}
