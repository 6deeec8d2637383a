//! Writes precompiled character maps: a double-array trie in darts-clone's layout.

use std::collections::BTreeMap;

#[derive(Default)]
struct Node {
    children: BTreeMap<u8, Node>,
    value: Option<u32>,
}

/// A map that replaces each first text by its second.
pub(crate) fn write(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut root = Node::default();
    let mut texts = Vec::new();
    for (from, to) in entries {
        let leaf =
            from.bytes().fold(&mut root, |node, byte| node.children.entry(byte).or_default());
        leaf.value = Some(texts.len() as u32);
        texts.extend(to.bytes());
        texts.push(0);
    }
    let mut units = vec![None; 256 * 64];
    units[0] = Some(0);
    place(&root, 0, &mut units);
    let mut blob = ((units.len() * 4) as u32).to_le_bytes().to_vec();
    blob.extend(units.iter().flat_map(|unit| unit.unwrap_or(0).to_le_bytes()));
    blob.extend(texts);
    blob
}

/// Puts the children of the node at `index` where all their slots are free.
fn place(node: &Node, index: u32, units: &mut Vec<Option<u32>>) {
    let labels = || node.value.iter().map(|_| 0).chain(node.children.keys().copied());
    let base = (1..units.len() as u32 - 256)
        .find(|base| {
            labels().all(|label| {
                let slot = (base ^ u32::from(label)) as usize;
                slot < units.len() && units[slot].is_none()
            })
        })
        .unwrap();
    let own = units[index as usize].unwrap();
    let leaf = u32::from(node.value.is_some()) << 8;
    units[index as usize] = Some(own | leaf | (index ^ base) << 10);
    for label in labels() {
        let slot = base ^ u32::from(label);
        units[slot as usize] = Some(if label == 0 { 1 << 31 } else { u32::from(label) });
    }
    if let Some(value) = node.value {
        units[base as usize] = Some(1 << 31 | value);
    }
    for (&label, child) in &node.children {
        place(child, base ^ u32::from(label), units);
    }
}
