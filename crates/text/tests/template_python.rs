//! Small templates against what Python's Jinja makes of them: printing, operators, methods,
//! filters, tests, statements, and the words of every refusal.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic and print")]

use serde_json::{Map, Value as Json};
use text::message::Message;
use text::template::{ChatTemplate, Ending, RenderRequest, Specials, TemplateError};

#[test]
fn values_and_errors_are_pythons() {
    let file: Json = serde_json::from_str(include_str!("data/python_semantics.json")).unwrap();
    let mut extra: Map<String, Json> = file["context"].as_object().unwrap().clone();
    let messages: Vec<Message> = serde_json::from_value(extra.remove("messages").unwrap()).unwrap();
    let mut wrong = Vec::new();
    for case in file["cases"].as_array().unwrap() {
        let source = case["template"].as_str().unwrap();
        let request = RenderRequest {
            messages: &messages,
            ending: Ending::Complete,
            extra: extra.clone(),
            ..RenderRequest::default()
        };
        let result = ChatTemplate::new(source, Specials::new(), "case")
            .and_then(|template| template.render(&request));
        let (found, right) = match (&result, case["rendered"].as_str(), case["error"].as_str()) {
            (Ok(rendered), Some(expected), _) => (rendered.text(), rendered.text() == expected),
            (Err(error), None, Some(expected)) => {
                let by_parser = expected.starts_with("TemplateSyntaxError")
                    || expected.starts_with("TemplateAssertionError");
                let said = error.python();
                (error.to_string(), by_parser || said.as_deref() == Some(expected))
            }
            (Ok(rendered), None, _) => (rendered.text(), false),
            (Err(error), _, _) => (error.to_string(), false),
        };
        if !right {
            let expected = case["rendered"].as_str().or(case["error"].as_str()).unwrap();
            wrong.push(format!("{source}\n  expected {expected:?}\n  found    {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

fn render(source: &str, request: &RenderRequest<'_>) -> Result<String, TemplateError> {
    let template = ChatTemplate::new(source, Specials::new(), "case")?;
    template.render(request).map(|rendered| rendered.text())
}

#[test]
fn the_final_message_can_be_continued() {
    let source = "{% for m in messages %}<{{ m.role }}>{{ m.content|trim }}</s>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";
    let messages = [Message::new("user", "hi"), Message::new("assistant", " Once upon ")];
    let request = RenderRequest {
        messages: &messages,
        ending: Ending::ContinueFinal,
        ..RenderRequest::default()
    };
    assert_eq!(render(source, &request).unwrap(), "<user>hi</s><assistant>Once upon");
    let kept = source.replace("|trim", "");
    assert_eq!(render(&kept, &request).unwrap(), "<user>hi</s><assistant> Once upon ");
    let lost = render("{{ messages[0].content }}", &request).unwrap_err().to_string();
    assert!(lost.contains("cannot be continued"), "{lost}");
}

#[test]
fn generated_spans_are_reported() {
    let source = "{% for m in messages %}[{% if m.role == 'assistant' %}{% generation %}{{ m.content }}!{% endgeneration %}{% else %}{{ m.content }}{% endif %}]{% endfor %}";
    let messages = [Message::new("user", "hé"), Message::new("assistant", "yes")];
    let request =
        RenderRequest { messages: &messages, ending: Ending::Complete, ..RenderRequest::default() };
    let rendered =
        ChatTemplate::new(source, Specials::new(), "case").unwrap().render(&request).unwrap();
    let text = rendered.text();
    let spans: Vec<&str> = rendered.generated.iter().map(|range| &text[range.clone()]).collect();
    assert_eq!((text.as_str(), spans), ("[hé][yes!]", vec!["yes!"]));
}

#[test]
fn reserved_names_and_missing_clocks_are_refused() {
    let mut request = RenderRequest::default();
    let dated = render("{{ strftime_now('%Y') }}", &request).unwrap_err();
    assert!(dated.to_string().contains("carries no date"), "{dated}");
    request.extra.insert("messages".into(), Json::Null);
    let reserved = render("", &request).unwrap_err().to_string();
    assert!(reserved.contains("messages cannot be given"), "{reserved}");
}

#[test]
fn a_template_that_writes_the_first_token_says_so() {
    let specials: Specials = [("bos_token".to_owned(), "<s>".to_owned())].into();
    let messages = [Message::new("user", "<s>hi")];
    let request = RenderRequest { messages: &messages, ..RenderRequest::default() };
    let render = |source: &str| {
        ChatTemplate::new(source, specials.clone(), "case").unwrap().render(&request).unwrap()
    };
    assert!(render("{{ bos_token }}{{ messages[0].content }}").begins_with("<s>"));
    assert!(!render("{{ messages[0].content }}").begins_with("<s>"));
    assert!(!render("").begins_with(""));
}
