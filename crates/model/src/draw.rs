//! A graph as a picture: Mermaid and DOT, one drawing a layer kind rather than one a layer.

use std::fmt::Write;

use crate::graph::{Graph, Node};

/// Layers that compute the same are drawn once, with the numbers of the layers they stand for.
fn blocks(graph: &Graph) -> Vec<(String, Vec<&Node>)> {
    let mut blocks: Vec<(Vec<usize>, Vec<&Node>)> = vec![];
    let mut runs: Vec<(Option<usize>, Vec<&Node>)> = vec![];
    for node in &graph.nodes {
        match runs.last_mut() {
            Some((layer, nodes)) if *layer == node.layer => nodes.push(node),
            _ => runs.push((node.layer, vec![node])),
        }
    }
    let alike = |a: &[&Node], b: &[&Node]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| label(graph, a) == label(graph, b))
    };
    let mut named: Vec<(String, Vec<&Node>)> = vec![];
    for (layer, nodes) in runs {
        let Some(layer) = layer else {
            named.push((String::new(), nodes));
            continue;
        };
        match blocks.iter_mut().find(|(_, other)| alike(other, &nodes)) {
            Some((layers, _)) => layers.push(layer),
            None => {
                blocks.push((vec![layer], nodes.clone()));
                named.push((layer.to_string(), nodes));
            }
        }
    }
    for (name, nodes) in &mut named {
        if let Some((layers, _)) = blocks.iter().find(|(layers, _)| layers[0].to_string() == *name)
        {
            *name = ranges(layers);
        }
        if name.is_empty() {
            *name = if nodes.first().is_some_and(|n| n.inputs.is_empty()) { "in" } else { "out" }
                .into();
        }
    }
    named
}

fn ranges(numbers: &[usize]) -> String {
    let mut text = String::from("layers ");
    let mut at = 0;
    while at < numbers.len() {
        let mut end = at;
        while end + 1 < numbers.len() && numbers[end + 1] == numbers[end] + 1 {
            end += 1;
        }
        let comma = if at > 0 { ", " } else { "" };
        let _ = if end > at {
            write!(text, "{comma}{}-{}", numbers[at], numbers[end])
        } else {
            write!(text, "{comma}{}", numbers[at])
        };
        at = end + 1;
    }
    text
}

/// What a node does and the weights it uses, without the number of its layer.
fn label(graph: &Graph, node: &Node) -> String {
    let debug = format!("{:?}", node.op);
    let name: String = debug.chars().take_while(char::is_ascii_alphanumeric).collect();
    let weights: Vec<&str> = Graph::params_of(&node.op)
        .into_iter()
        .map(|param| {
            let name = graph.params[param].name.as_str();
            let name =
                name.strip_prefix("blk.").and_then(|n| n.split_once('.')).map_or(name, |n| n.1);
            name.strip_suffix(".weight").unwrap_or(name)
        })
        .collect();
    format!("{name} {} [{}]", weights.join(" + "), node.width)
}

/// The graph in Mermaid's notation.
pub fn mermaid(graph: &Graph) -> String {
    let mut out = String::from("flowchart TD\n");
    picture(graph, &mut |line| match line {
        Line::Open(at, name) => drop(writeln!(out, "  subgraph s{at}[\"{name}\"]")),
        Line::Node(id, label) => drop(writeln!(out, "    n{id}[\"{label}\"]")),
        Line::Close => drop(writeln!(out, "  end")),
        Line::Edge(from, to) => drop(writeln!(out, "  n{from} --> n{to}")),
    });
    out
}

/// The graph in Graphviz' notation.
pub fn dot(graph: &Graph) -> String {
    let mut out = String::from("digraph model {\n  node [shape=box];\n");
    picture(graph, &mut |line| match line {
        Line::Open(at, name) => drop(writeln!(out, "  subgraph cluster_{at} {{ label=\"{name}\";")),
        Line::Node(id, label) => drop(writeln!(out, "    n{id} [label=\"{label}\"];")),
        Line::Close => drop(writeln!(out, "  }}")),
        Line::Edge(from, to) => drop(writeln!(out, "  n{from} -> n{to};")),
    });
    out.push_str("}\n");
    out
}

enum Line<'a> {
    Open(usize, &'a str),
    Node(usize, String),
    Close,
    Edge(usize, usize),
}

fn picture(graph: &Graph, draw: &mut dyn FnMut(Line<'_>)) {
    let id_of = |node: &Node| {
        graph
            .nodes
            .iter()
            .position(|other| std::ptr::eq(other, node))
            .expect("a node of this graph")
    };
    let blocks = blocks(graph);
    let mut shown = vec![];
    for (at, (name, nodes)) in blocks.iter().enumerate() {
        draw(Line::Open(at, name));
        for node in nodes {
            let id = id_of(node);
            shown.push(id);
            draw(Line::Node(id, label(graph, node)));
        }
        draw(Line::Close);
    }
    let mut last_of_block = None;
    for (_, nodes) in &blocks {
        for node in nodes {
            let to = id_of(node);
            for from in &node.inputs {
                if shown.contains(from) {
                    draw(Line::Edge(*from, to));
                } else if let Some(from) = last_of_block {
                    // What a repeated layer hands on comes, in the picture, from the layer drawn before.
                    draw(Line::Edge(from, to));
                }
            }
        }
        last_of_block = nodes.last().map(|node| id_of(node));
    }
}
