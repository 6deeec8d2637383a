//! The templates a model brings: one, or several by name, as `tokenizer_config.json` lists them.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::fault::TemplateError;
use super::{ChatTemplate, MAX_SOURCE_BYTES, RenderRequest, Specials};

/// Most templates a model may bring.
const MAX_TEMPLATES: usize = 32;

/// The sources of a model's templates, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateSet {
    sources: BTreeMap<String, String>,
}

/// A template chosen from a [`TemplateSet`], and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its source.
    pub source: &'a str,
    /// The rule that chose it, to be told to the user.
    pub reason: String,
}

impl TemplateSet {
    /// A model with one template.
    pub fn single(source: impl Into<String>) -> Self {
        Self { sources: BTreeMap::from([("default".to_owned(), source.into())]) }
    }

    /// Reads the `chat_template` of a `tokenizer_config.json`: a string, or a list of
    /// `{"name", "template"}`. Absent and null give an empty set.
    pub fn from_config(config: &Json) -> Result<Self, TemplateError> {
        let refuse = |message: &str| Err(TemplateError::Request(message.to_owned()));
        let mut set = Self::default();
        match config {
            Json::Null => {}
            Json::String(source) => set.insert("default", source)?,
            Json::Array(list) => {
                for entry in list {
                    let field = |name| entry.get(name).and_then(Json::as_str);
                    let (Some(name), Some(source)) = (field("name"), field("template")) else {
                        return refuse("an entry of chat_template has no name and template");
                    };
                    set.insert(name, source)?;
                }
            }
            Json::Object(map) => {
                for (name, source) in map {
                    let Some(source) = source.as_str() else {
                        return refuse("chat_template maps a name to something but text");
                    };
                    set.insert(name, source)?;
                }
            }
            _ => return refuse("chat_template is neither text nor a list of templates"),
        }
        Ok(set)
    }

    /// Adds a template, as those in `chat_template.jinja` or `additional_chat_templates/`; one of
    /// that name before is replaced.
    pub fn insert(&mut self, name: &str, source: &str) -> Result<(), TemplateError> {
        if source.len() > MAX_SOURCE_BYTES || self.sources.len() >= MAX_TEMPLATES {
            let message = format!(
                "a model's templates are at most {MAX_TEMPLATES} of {MAX_SOURCE_BYTES} bytes"
            );
            return Err(TemplateError::Request(message));
        }
        self.sources.insert(name.to_owned(), source.to_owned());
        Ok(())
    }

    /// Whether the model has no template at all.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// Chooses the template for a request. The rule: the name asked for; else the only one there
    /// is; else `tool_use` where tools are given; else `rag` where documents are; else `default`.
    pub fn choose(
        &self,
        asked: Option<&str>,
        request: &RenderRequest<'_>,
    ) -> Result<Chosen<'_>, TemplateError> {
        let known = || self.names().collect::<Vec<_>>().join(", ");
        let take = |name: &str, reason: &str| {
            self.sources.get_key_value(name).map(|(name, source)| Chosen {
                name,
                source,
                reason: reason.to_owned(),
            })
        };
        if let Some(name) = asked {
            return take(name, "it was asked for").ok_or_else(|| {
                TemplateError::Request(format!("no template named {name}; there are: {}", known()))
            });
        }
        if let (1, Some(name)) = (self.sources.len(), self.sources.keys().next())
            && let Some(only) = take(name, "it is the only one")
        {
            return Ok(only);
        }
        let tools = request.tools.is_some_and(|tools| !tools.is_empty());
        let documents = request.documents.is_some_and(|documents| !documents.is_empty());
        let fitting = tools
            .then(|| take("tool_use", "tools are given"))
            .flatten()
            .or_else(|| documents.then(|| take("rag", "documents are given")).flatten())
            .or_else(|| take("default", "it is the default"));
        fitting.ok_or_else(|| {
            TemplateError::Request(if self.is_empty() {
                "the model brings no chat template".to_owned()
            } else {
                format!("no template is the default; name one of: {}", known())
            })
        })
    }

    /// Chooses and reads a template.
    pub fn template(
        &self,
        asked: Option<&str>,
        request: &RenderRequest<'_>,
        specials: Specials,
    ) -> Result<ChatTemplate, TemplateError> {
        let chosen = self.choose(asked, request)?;
        ChatTemplate::new(chosen.source, specials, chosen.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Document, Tool};

    #[test]
    fn the_rule_chooses_and_says_why() {
        let config = serde_json::json!([
            {"name": "default", "template": "d"},
            {"name": "tool_use", "template": "t"},
            {"name": "rag", "template": "r"}
        ]);
        let set = TemplateSet::from_config(&config).unwrap();
        let plain = RenderRequest::default();
        assert_eq!(set.choose(None, &plain).unwrap().source, "d");
        assert_eq!(set.choose(Some("rag"), &plain).unwrap().reason, "it was asked for");
        let tool: Tool = serde_json::from_value(serde_json::json!({"name": "f"})).unwrap();
        let tools = [tool];
        let with_tools = RenderRequest { tools: Some(&tools), ..plain.clone() };
        let chosen = set.choose(None, &with_tools).unwrap();
        assert_eq!((chosen.source, chosen.reason.as_str()), ("t", "tools are given"));
        let documents = [Document::default()];
        let with_documents = RenderRequest { documents: Some(&documents), ..plain.clone() };
        assert_eq!(set.choose(None, &with_documents).unwrap().source, "r");
        let unknown = set.choose(Some("x"), &plain).unwrap_err().to_string();
        assert!(unknown.contains("there are: default, rag, tool_use"), "{unknown}");
        let none = TemplateSet::from_config(&Json::Null).unwrap();
        assert!(none.choose(None, &plain).unwrap_err().to_string().contains("no chat template"));
    }
}
