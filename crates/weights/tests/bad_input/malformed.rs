//! The collection of valid and broken files beside the repository: every expectation is met.

use weights::json;

use crate::cage::{open, refused_path};

#[test]
fn every_file_of_the_collection_meets_its_expectation() {
    let Some(folder) = testkit::data("malformed") else { return };
    let text = std::fs::read(folder.join("INDEX.json")).unwrap();
    let index = json::parse(&text, json::Bounds::default()).unwrap();
    let cases = index["cases"].as_array().unwrap();
    assert!(cases.len() >= 88);
    for case in cases {
        let path = folder.join(case["file"].as_str().unwrap());
        match case["expected"].as_str().unwrap() {
            "accept" => {
                let opened = open(&path).unwrap_or_else(|e| panic!("{e}"));
                for tensor in opened.tensors().values() {
                    assert_eq!(opened.bytes(tensor).unwrap().len() as u64, tensor.len_bytes());
                }
            }
            "reject" => drop(refused_path(&path)),
            "either" => drop(open(&path)),
            other => panic!("{other}"),
        }
    }
}
