//! What a conversation is made of: messages, tools, documents, in the shape OpenAI's API gave them
//! and transformers' templates expect. What a client sent beyond the known fields is kept, in
//! order, for a template may know it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// One turn of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks: `system`, `user`, `assistant`, `tool`, or what the template knows.
    pub role: String,
    /// What is said.
    #[serde(default, skip_serializing_if = "Content::is_absent")]
    pub content: Content,
    /// What was thought before saying it, under the name newer clients use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// The same, under the name most templates use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
    /// The calls an assistant made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Vec<ToolCall>>,
    /// The call a tool's message answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// The name of the speaker or tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Everything else the client sent.
    #[serde(flatten)]
    pub extra: Map<String, Json>,
}

impl Message {
    /// A message that is only text.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        let content = Content::Text(content.into());
        Self { role: role.into(), content, ..Self::default() }
    }

    /// The reasoning, by either of its names.
    pub fn thought(&self) -> Option<&str> {
        self.reasoning_content.as_deref().or(self.reasoning.as_deref())
    }

    /// Gives the reasoning both of its names, so a template that knows either finds it.
    pub fn name_reasoning_both_ways(&mut self) {
        if self.reasoning.is_none() {
            self.reasoning.clone_from(&self.reasoning_content);
        } else if self.reasoning_content.is_none() {
            self.reasoning_content.clone_from(&self.reasoning);
        }
    }

    /// Turns arguments that came as JSON text, as OpenAI's API sends them, into the values they
    /// say: templates of Hugging Face expect those. Text that is no JSON object stays as it is.
    pub fn parse_arguments(&mut self) {
        for call in self.tool_calls.iter_mut().flatten() {
            if let Json::String(text) = &call.function.arguments
                && let Ok(parsed @ Json::Object(_)) = serde_json::from_str(text)
            {
                call.function.arguments = parsed;
            }
        }
    }
}

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// The field is not there.
    #[default]
    #[serde(skip)]
    Absent,
    /// The field is `null`, as beside tool calls.
    Null,
    /// Text.
    Text(String),
    /// Several parts: text, and what some models take beside it.
    Parts(Vec<ContentPart>),
}

impl Content {
    /// Whether the field is not there at all.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// All text in it, joined by newlines where there are several parts.
    pub fn text(&self) -> String {
        match self {
            Self::Absent | Self::Null => String::new(),
            Self::Text(text) => text.clone(),
            Self::Parts(parts) => {
                parts.iter().filter_map(ContentPart::text).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

/// A part of a message's content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContentPart {
    /// `text`, `image_url`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Everything else of the part; `text` for a part of text.
    #[serde(flatten)]
    pub fields: Map<String, Json>,
}

impl ContentPart {
    /// A part of text.
    pub fn of_text(text: impl Into<String>) -> Self {
        let fields = Map::from_iter([("text".to_owned(), Json::String(text.into()))]);
        Self { kind: "text".to_owned(), fields }
    }

    /// The text of a part that is text.
    pub fn text(&self) -> Option<&str> {
        self.fields.get("text").and_then(Json::as_str)
    }
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// What a tool's answer refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `function`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The function and its arguments.
    pub function: FunctionCall,
    /// Everything else the client sent.
    #[serde(flatten)]
    pub extra: Map<String, Json>,
}

/// A function's name and arguments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FunctionCall {
    /// Which function.
    pub name: String,
    /// A JSON object, or the text of one.
    #[serde(default)]
    pub arguments: Json,
}

/// A tool a model may call, as the client declared it: `{"type": "function", "function": {"name",
/// "description", "parameters"}}`. Kept whole and in order, for templates print it as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Json>", into = "Map<String, Json>")]
pub struct Tool(Map<String, Json>);

impl Tool {
    /// The function's name.
    pub fn name(&self) -> &str {
        self.function().get("name").and_then(Json::as_str).unwrap_or_default()
    }

    /// What the function is for, as stated.
    pub fn description(&self) -> Option<&str> {
        self.function().get("description").and_then(Json::as_str)
    }

    /// The JSON schema of the arguments.
    pub fn parameters(&self) -> Option<&Json> {
        self.function().get("parameters")
    }

    /// The declaration as it came.
    pub fn as_json(&self) -> &Map<String, Json> {
        &self.0
    }

    /// The part that declares the function: `function`, or the whole for the flat form.
    fn function(&self) -> &Map<String, Json> {
        self.0.get("function").and_then(Json::as_object).unwrap_or(&self.0)
    }
}

impl TryFrom<Map<String, Json>> for Tool {
    type Error = String;

    fn try_from(map: Map<String, Json>) -> Result<Self, String> {
        let tool = Self(map);
        if tool.name().is_empty() {
            return Err("a tool has no function.name".to_owned());
        }
        if let Some(parameters) = tool.parameters()
            && !parameters.is_object()
            && !parameters.is_null()
        {
            return Err(format!("the parameters of the tool {} are no object", tool.name()));
        }
        Ok(tool)
    }
}

impl From<Tool> for Map<String, Json> {
    fn from(tool: Tool) -> Self {
        tool.0
    }
}

/// A document given beside the conversation: usually `title` and `text`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Document(pub Map<String, Json>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_back_as_it_was_written() {
        for text in [
            r#"{"role":"user","content":"hi"}"#,
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":{"z":1,"a":2.0}}}]}"#,
            r#"{"role":"tool"}"#,
            r#"{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"u"}}],"odd":[1]}"#,
        ] {
            let message: Message = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&message).unwrap(), text);
        }
    }

    #[test]
    fn tools_without_a_name_are_refused() {
        let bad = serde_json::from_str::<Tool>(r#"{"type":"function","function":{}}"#);
        assert!(bad.unwrap_err().to_string().contains("no function.name"));
        let flat: Tool = serde_json::from_str(r#"{"name":"f","parameters":{}}"#).unwrap();
        assert_eq!(flat.name(), "f");
    }

    #[test]
    fn arguments_as_text_become_values() {
        let text = r#"{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{\"a\":1}"}},{"function":{"name":"g","arguments":"{oops"}}]}"#;
        let mut message: Message = serde_json::from_str(text).unwrap();
        message.parse_arguments();
        let calls = message.tool_calls.unwrap();
        assert_eq!(calls[0].function.arguments, serde_json::json!({"a": 1}));
        assert_eq!(calls[1].function.arguments, serde_json::json!("{oops"));
    }
}
