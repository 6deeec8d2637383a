//! Counting what agrees, by file, and saying what does not.

#[derive(Default)]
pub(crate) struct Tally {
    name: String,
    lines: Vec<String>,
    passed: usize,
    total: usize,
    failures: Vec<String>,
}

impl Tally {
    pub(crate) fn file(&mut self, name: &str) {
        self.close();
        name.clone_into(&mut self.name);
        (self.passed, self.total) = (0, 0);
    }

    fn close(&mut self) {
        if self.total > 0 {
            self.lines.push(format!("{}: {}/{}", self.name, self.passed, self.total));
        }
    }

    pub(crate) fn check<T: PartialEq + std::fmt::Debug>(
        &mut self,
        what: &str,
        found: &T,
        expected: &T,
    ) {
        self.total += 1;
        if found == expected {
            self.passed += 1;
        } else {
            let (found, expected) = (format!("{found:?}"), format!("{expected:?}"));
            let clip = |text: &str| text.chars().take(300).collect::<String>();
            let (found, expected) = (clip(&found), clip(&expected));
            self.failures
                .push(format!("{}: {what}\n  found    {found}\n  expected {expected}", self.name));
        }
    }

    pub(crate) fn finish(mut self) {
        self.close();
        println!("{}", self.lines.join("\n"));
        let count = self.failures.len();
        assert!(count == 0, "{count} differ:\n{}", self.failures[..count.min(40)].join("\n"));
    }
}
