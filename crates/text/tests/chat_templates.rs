//! The chat templates of many models against what transformers renders from them.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

use std::fs;

use serde_json::{Map, Value as Json};
use text::message::{Message, Tool};
use text::template::{ChatTemplate, DateTime, Ending, RenderRequest, Specials, TemplateSet};

struct Context {
    messages: Vec<Message>,
    tools: Option<Vec<Tool>>,
    ending: Ending,
    extra: Map<String, Json>,
}

impl Context {
    fn read(json: &Json) -> Self {
        let mut map = json.as_object().unwrap().clone();
        let messages = serde_json::from_value(map.remove("messages").unwrap()).unwrap();
        let tools = map.remove("tools").map(|tools| serde_json::from_value(tools).unwrap());
        let ending = match map.remove("add_generation_prompt") {
            Some(Json::Bool(false)) => Ending::Complete,
            _ => Ending::GenerationPrompt,
        };
        Self { messages, tools, ending, extra: map }
    }

    fn request(&self) -> RenderRequest<'_> {
        RenderRequest {
            messages: &self.messages,
            tools: self.tools.as_deref(),
            documents: None,
            ending: self.ending,
            extra: self.extra.clone(),
            now: Some(NOW),
        }
    }
}

const NOW: DateTime = DateTime { year: 2026, month: 1, day: 2, hour: 3, minute: 4, second: 5 };

fn specials() -> Specials {
    [("bos_token", "<BOS>"), ("eos_token", "<EOS>"), ("unk_token", "<UNK>"), ("pad_token", "<PAD>")]
        .map(|(name, token)| (name.to_owned(), token.to_owned()))
        .into()
}

#[test]
fn every_golden_renders_or_fails_alike() {
    let Some(folder) = testkit::data("chat_templates") else { return };
    let contexts: Json =
        serde_json::from_str(&fs::read_to_string(folder.join("contexts.json")).unwrap()).unwrap();
    let goldens = fs::read_to_string(folder.join("goldens.jsonl")).unwrap();
    let (mut rendered, mut refused, mut wrong) = (0, 0, Vec::new());
    for line in goldens.lines() {
        let golden: Json = serde_json::from_str(line).unwrap();
        let name = golden["template"].as_str().unwrap();
        let context_name = golden["context"].as_str().unwrap();
        let source = fs::read_to_string(folder.join("templates").join(name)).unwrap();
        let context = Context::read(&contexts["contexts"][context_name]);
        let result = ChatTemplate::new(&source, specials(), name)
            .and_then(|template| template.render(&context.request()));
        let matches = match (&result, golden["rendered"].as_str(), golden["error"].as_str()) {
            (Ok(found), Some(expected), _) => {
                rendered += 1;
                let alternate = found.parts.windows(2).all(|p| p[0].trusted != p[1].trusted);
                found.text() == expected && alternate
            }
            (Err(error), None, Some(expected)) => {
                refused += 1;
                error.python().as_deref() == Some(expected)
            }
            _ => false,
        };
        if !matches {
            let found = match &result {
                Ok(found) => found.text(),
                Err(error) => format!("ERROR {error:?}"),
            };
            let expected = golden["rendered"].as_str().or(golden["error"].as_str()).unwrap();
            let at = found.bytes().zip(expected.bytes()).take_while(|(a, b)| a == b).count();
            let from = (0..=at.saturating_sub(60))
                .rev()
                .find(|i| expected.is_char_boundary(*i) && found.is_char_boundary(*i))
                .unwrap_or(0);
            let show = |text: &str| text[from..].chars().take(200).collect::<String>();
            wrong.push(format!(
                "{name} {context_name}\n  expected {:?}\n  found    {:?}",
                show(expected),
                show(&found)
            ));
        }
    }
    println!("{rendered} rendered, {refused} refused, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!((rendered, refused), (1108, 152));
}

/// The tokens a `tokenizer_config.json` names: text, or a map with `content`.
fn configured(config: &Json) -> Specials {
    let token = |value: &Json| value.as_str().or(value["content"].as_str()).map(str::to_owned);
    let named = config.as_object().unwrap().iter().filter(|(name, _)| name.ends_with("_token"));
    named.filter_map(|(name, value)| token(value).map(|token| (name.clone(), token))).collect()
}

#[test]
fn the_tiny_models_render_as_their_tokenizers_do() {
    let Some(folder) = testkit::data("goldens_open/models") else { return };
    let mut checked = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let model = entry.unwrap().path();
        let read = |name: &str| fs::read_to_string(model.join(name)).ok();
        let json = |name: &str| read(name).map(|text| serde_json::from_str::<Json>(&text).unwrap());
        let Some(goldens) = json("tokenizer_goldens.json") else { continue };
        let Some(config) = json("tokenizer_config.json") else { continue };
        let mut set = TemplateSet::from_config(&config["chat_template"]).unwrap();
        if let Some(source) = read("chat_template.jinja") {
            set.insert("default", &source).unwrap();
        }
        for case in goldens["chat"].as_array().into_iter().flatten() {
            let messages: Vec<Message> = serde_json::from_value(case["messages"].clone()).unwrap();
            let generation = case["add_generation_prompt"] == Json::Bool(true);
            let request = RenderRequest {
                messages: &messages,
                ending: if generation { Ending::GenerationPrompt } else { Ending::Complete },
                now: Some(NOW),
                ..RenderRequest::default()
            };
            let rendered = set
                .template(None, &request, configured(&config))
                .and_then(|template| template.render(&request));
            match case["rendered"].as_str() {
                Some(expected) => {
                    // gpt-oss prints the day the golden was made.
                    let undated = |text: &str| match text.find("Current date: ") {
                        Some(at) => format!("{}{}", &text[..at], &text[at + 24..]),
                        None => text.to_owned(),
                    };
                    let found = rendered.unwrap().text();
                    assert_eq!(undated(&found), undated(expected), "{model:?}");
                }
                None => assert!(rendered.is_err(), "{model:?} {case}"),
            }
            checked += 1;
        }
    }
    println!("{checked} checked");
    assert!(checked > 100, "{checked}");
}
