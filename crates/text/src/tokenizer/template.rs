//! What stands around the texts a model reads: begin, separator and end tokens.

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Tokens { ids: Vec<u32>, kind: u32 },
    First { kind: u32 },
    Second { kind: u32 },
}

/// The templates for one text and for two.
#[derive(Clone, Debug, Default)]
pub(crate) struct Template {
    before: Vec<u32>,
    after: Vec<u32>,
    pair: Option<Vec<Slot>>,
}

impl Template {
    /// From the slots for one text and for two.
    pub(crate) fn new(single: &[Slot], pair: Option<Vec<Slot>>) -> Self {
        let mut template = Self { pair, ..Self::default() };
        let mut side = &mut template.before;
        for slot in single {
            match slot {
                Slot::Tokens { ids, .. } => side.extend(ids),
                Slot::First { .. } => side = &mut template.after,
                Slot::Second { .. } => {}
            }
        }
        template
    }

    /// These ids before and after; two texts stand behind each other within them.
    pub(crate) fn around_with(before: Vec<u32>, after: Vec<u32>) -> Self {
        Self { before, after, pair: None }
    }

    pub(crate) fn around(&self) -> (&[u32], &[u32]) {
        (&self.before, &self.after)
    }

    pub(crate) fn frame(&self, ids: Vec<u32>) -> Vec<u32> {
        if self.before.is_empty() && self.after.is_empty() {
            return ids;
        }
        [self.before.as_slice(), &ids, &self.after].concat()
    }

    pub(crate) fn frame_once(&self, mut ids: Vec<u32>) -> Vec<u32> {
        if !ids.starts_with(&self.before) {
            ids.splice(..0, self.before.iter().copied());
        }
        if !ids.ends_with(&self.after) {
            ids.extend(&self.after);
        }
        ids
    }

    pub(crate) fn pair(&self, first: &[u32], second: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let plain = || {
            let tokens = |ids: &[u32], kind| Slot::Tokens { ids: ids.to_vec(), kind };
            let (first, second) = (Slot::First { kind: 0 }, Slot::Second { kind: 0 });
            vec![tokens(&self.before, 0), first, second, tokens(&self.after, 0)]
        };
        let slots = self.pair.clone().unwrap_or_else(plain);
        let (mut ids, mut kinds) = (Vec::new(), Vec::new());
        for slot in &slots {
            let (part, kind): (&[u32], u32) = match slot {
                Slot::Tokens { ids, kind } => (ids, *kind),
                Slot::First { kind } => (first, *kind),
                Slot::Second { kind } => (second, *kind),
            };
            ids.extend(part);
            kinds.resize(ids.len(), kind);
        }
        (ids, kinds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t8_never_two_begin_tokens() {
        let template = Template::around_with(vec![1], vec![2]);
        assert_eq!(template.frame_once(vec![1, 5]), [1, 5, 2]);
        assert_eq!(template.frame_once(vec![5, 2]), [1, 5, 2]);
        assert_eq!(template.frame_once(vec![]), [1, 2]);
        assert_eq!(template.frame(vec![1, 5]), [1, 1, 5, 2]);
    }
}
