//! Token ids on the command line: `1,2,3`, also with spaces.

use std::str::FromStr;

use crate::error::usage;

/// A list of ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ids(pub(crate) Vec<u32>);

impl FromStr for Ids {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words =
            text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
        let ids: Result<Vec<u32>, String> = words
            .map(|word| {
                word.parse()
                    .map_err(|_| format!("{word:?} is no token id; expected whole numbers from 0"))
            })
            .collect();
        let ids = ids?;
        if ids.is_empty() { Err("there is no id".to_owned()) } else { Ok(Ids(ids)) }
    }
}

/// Refuses ids outside the vocabulary.
pub(crate) fn check(ids: &[u32], vocab: usize) -> anyhow::Result<()> {
    match ids.iter().find(|id| **id as usize >= vocab) {
        Some(id) => Err(usage(format!("token {id} is outside the vocabulary of {vocab}"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_nonsense_is_named() {
        assert_eq!("1,2, 3".parse(), Ok(Ids(vec![1, 2, 3])));
        assert_eq!("7".parse(), Ok(Ids(vec![7])));
        for bad in ["", ",", "1,-2", "1,x", "4294967296"] {
            assert!(bad.parse::<Ids>().is_err(), "{bad}");
        }
        assert!(check(&[1, 2], 3).is_ok());
        assert!(check(&[3], 3).is_err());
    }
}
