//! `freehold cost`: its arithmetic from outside, its price list, its chart.

use std::fs;

use crate::{
    hub::Room,
    support::{done, gguf},
};

const MACHINE: [&str; 12] = [
    "--price",
    "1461",
    "--life",
    "4",
    "--watts",
    "100",
    "--watts-idle",
    "100",
    "--kwh",
    "0.25",
    "--utilisation",
    "0.5",
];
const SPEED: [&str; 4] = ["--prompt-speed", "1000", "--generation-speed", "50"];
const LOAD: [&str; 6] = ["--requests", "7200", "--tokens-in", "1000", "--tokens-out", "250"];

#[test]
fn the_numbers_are_those_one_gets_by_hand() {
    let room = Room::new();
    let line = [&["cost"][..], &MACHINE, &SPEED, &LOAD].concat();
    let found = room.json(&line);
    let near = |value: &serde_json::Value, expected: f64| {
        let value = value.as_f64().unwrap();
        assert!((value - expected).abs() < 1e-6 * expected.abs(), "{value} {expected}");
    };
    // 6 s a request, half the day busy: 1 a day for the machine, 0.60 for power, 9 million tokens.
    near(&found["owning"]["busy"], 0.5);
    near(&found["owning"]["per_million_tokens"], 1.6 / 9.0);
    near(&found["capacity_per_day"], 7200.0);
    let named = [&line[..], &["--against", "openai/gpt-5-mini"]].concat();
    let found = room.json(&named);
    // 0.25 for a thousandth of a million, 2.00 for a quarter of that: 0.00075 a request.
    near(&found["renting"][0]["break_even_requests_per_day"], 1.6 / 0.00075);
    let page = room.ok(&named).out;
    for words in
        ["1 machine", "power", "openai/gpt-5-mini", "what it hangs on", "speed a fifth lower"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
}

#[test]
fn the_speed_is_that_of_the_plan_unless_it_was_measured() {
    let room = Room::new();
    let found = room.json(&["cost", gguf(), "--tokens-in", "64", "--tokens-out", "32"]);
    assert_eq!(found["speeds"], "foretold");
    assert!(found["owned"]["generation_tokens_per_s"].as_f64().unwrap() > 1.0);
    room.run(&["cost"]).refused(2, &["MODEL is needed"]);
    room.run(&["cost", gguf(), "--utilisation", "1.5"]).refused(2, &["--utilisation is 1.5"]);
    room.run(&["cost", gguf(), "--requests", "nan"]).refused(2, &["--requests"]);
}

#[test]
fn the_price_list_is_its_owners_and_the_chart_a_picture() {
    let room = Room::new();
    let line = [&["cost"][..], &SPEED].concat();
    let path = room.ok(&["cost", "--prices", "edit"]).out;
    let list = fs::read_to_string(path.trim()).unwrap();
    let mine = list.replace("\"groq/llama-3.1-8b-instant\"", "\"mine & yours/<model>\"");
    fs::write(path.trim(), mine).unwrap();
    assert!(room.ok(&["cost", "--prices", "show"]).out.contains("mine & yours"));
    room.ok(&[&line[..], &["--chart", "cost.svg"]].concat());
    let svg = fs::read_to_string(room.path("cost.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("mine &amp; yours/&lt;model&gt;"), "{svg}");
    fs::write(path.trim(), list.replace("input = 0.05", "input = -1")).unwrap();
    room.run(&line).refused(3, &["expected 0 to", "freehold cost --prices edit"]);
    done(room.program().args(["cost", "--against", "nobody"]).args(SPEED))
        .refused(3, &["expected 0"]);
}
