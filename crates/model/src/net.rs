//! The graph builder: a model drawn as its paper draws it.
//!
//! A handle's *type* is its role ([`Flat`], [`Heads`], [`Routed`]), so rotating a residual stream
//! or normalising across heads does not compile; no axis number exists. Faults are collected and
//! returned once by [`Net::finish`], so describing a model needs no `?`. The one dynamic axis is
//! `tokens`: the rows of a step's ragged batch.

use std::{cell::RefCell, ops, panic::Location};

use crate::{
    Error,
    facts::{Dialect, LARGEST},
    graph::{Graph, Node, NodeId, Param, ParamId},
    names::Names,
    op::{Activation, Attention, Mask, Op, Routing, ValueStore},
    rope::Rope,
    source::{Rows, Source, Turn},
};

/// No parameter may have more numbers than this: beyond any matrix there is, and safe to multiply.
const LARGEST_PARAM: usize = 1 << 42;
/// No graph may have more nodes than this.
const LARGEST_GRAPH: usize = 1 << 17;

/// The graph under construction.
#[derive(Debug)]
pub struct Net {
    graph: RefCell<Graph>,
    faults: RefCell<Vec<String>>,
    family: &'static str,
    dialect: Dialect,
    names: &'static Names,
}

/// The residual stream and its branches: `[tokens, width]`.
#[derive(Clone, Copy, Debug)]
pub struct Flat<'n>(Handle<'n>);

/// The same rows seen as heads: `[tokens, heads, head_dim]`.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'n> {
    at: Handle<'n>,
    heads: usize,
}

/// Rows at their experts: `[tokens * k, width]`.
#[derive(Clone, Copy, Debug)]
pub struct Routed<'n> {
    at: Handle<'n>,
    routes: Routes<'n>,
}

/// For each token, `k` experts and their weights.
#[derive(Clone, Copy, Debug)]
pub struct Routes<'n> {
    at: Handle<'n>,
    experts: usize,
    k: usize,
}

#[derive(Clone, Copy, Debug)]
struct Handle<'n> {
    net: &'n Net,
    id: NodeId,
    width: usize,
    rows: usize,
    layer: Option<usize>,
}

/// Where weights are named: the model, or one of its layers.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// `None` at the top of the model.
    pub layer: Option<usize>,
}

/// A weight by its canonical name, not yet shaped: the operation that uses it gives its shape.
#[derive(Clone, Copy, Debug)]
pub struct Weight {
    layer: Option<usize>,
    name: &'static str,
    bias: Bias,
    tied: Option<&'static str>,
    fused: Option<(&'static str, Rows)>,
    turn: Turn,
    plus: f32,
}

/// Whether an operation adds a vector of the weight's name and the suffix `.bias`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bias {
    /// It does.
    Yes,
    /// It doesn't.
    No,
}

impl From<bool> for Bias {
    fn from(present: bool) -> Self {
        if present { Bias::Yes } else { Bias::No }
    }
}

/// What [`Heads::attend`] needs beside its inputs.
#[derive(Clone, Copy, Debug)]
pub struct AttendWith {
    /// Which keys a query may see.
    pub mask: Mask,
    /// Factor on each score; usually `1 / sqrt(head_dim)`.
    pub scale: f32,
    /// Scores pass `cap * tanh(score / cap)`.
    pub softcap: Option<f32>,
    /// A learned score each head may spend on nothing.
    pub sinks: Option<Weight>,
}

impl AttendWith {
    /// The usual: this mask, scores over `sqrt(head_dim)`.
    pub fn usual(mask: Mask, head_dim: usize) -> Self {
        AttendWith { mask, scale: (head_dim as f32).sqrt().recip(), softcap: None, sinks: None }
    }
}

impl Net {
    /// An empty graph of this family, for a checkpoint that speaks this dialect.
    pub fn new(family: &'static str, dialect: Dialect, names: &'static Names) -> Self {
        Net { graph: RefCell::default(), faults: RefCell::default(), family, dialect, names }
    }

    /// Token ids to vectors: `[tokens, hidden]`.
    #[track_caller]
    pub fn embed(&self, weight: Weight, vocab: usize, hidden: usize) -> Flat<'_> {
        let table = self.param(&weight, ".weight", [1, vocab, hidden]);
        Flat(self.push(Op::Embed { table }, &[], hidden, 1, None))
    }

    /// Positions to vectors: `[tokens, hidden]`.
    #[track_caller]
    pub fn embed_position(&self, weight: Weight, positions: usize, hidden: usize) -> Flat<'_> {
        let table = self.param(&weight, ".weight", [1, positions, hidden]);
        Flat(self.push(Op::EmbedPosition { table }, &[], hidden, 1, None))
    }

    /// The decoder layers, first to last.
    pub fn layers(&self, count: usize) -> impl Iterator<Item = Scope> + use<> {
        (0..count).map(|layer| Scope { layer: Some(layer) })
    }

    /// Notes a contradiction in the configuration.
    #[track_caller]
    pub fn require(&self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            let site = Location::caller();
            let mut faults = self.faults.borrow_mut();
            if faults.len() < 16 {
                faults.push(format!("{} ({}:{})", fault(), site.file(), site.line()));
            }
        }
    }

    /// Seals the graph, or says everything that was contradictory.
    pub fn finish(self) -> Result<Graph, Error> {
        let faults = self.faults.into_inner();
        if faults.is_empty() {
            Ok(self.graph.into_inner())
        } else {
            Err(Error::Unsound { family: self.family, faults })
        }
    }

    #[track_caller]
    fn push(
        &self,
        op: Op,
        inputs: &[Handle<'_>],
        width: usize,
        rows: usize,
        layer: Option<usize>,
    ) -> Handle<'_> {
        let too_wide = width == 0 || width > LARGEST;
        self.require(!too_wide, || {
            format!("a row of {width} entries (at most {LARGEST}, at least 1)")
        });
        let mut graph = self.graph.borrow_mut();
        let full = graph.nodes.len() >= LARGEST_GRAPH;
        let id = if full { graph.nodes.len() - 1 } else { graph.nodes.len() };
        if !full {
            let inputs: Vec<NodeId> = inputs.iter().map(|input| input.id).collect();
            let site = Location::caller();
            graph.nodes.push(Node { op, inputs, width, rows_per_token: rows, layer, site });
        }
        drop(graph);
        self.require(!full, || format!("more than {LARGEST_GRAPH} operations"));
        Handle { net: self, id, width: if too_wide { 1 } else { width }, rows, layer }
    }

    #[track_caller]
    fn param(&self, weight: &Weight, suffix: &str, shape: [usize; 3]) -> ParamId {
        let name = weight.full_name(suffix);
        let elements = shape.iter().try_fold(1usize, |all, n| all.checked_mul(*n));
        self.require(elements.is_some_and(|n| n > 0 && n <= LARGEST_PARAM), || {
            format!("{name} would be {shape:?}")
        });
        let source = self.source(weight, suffix);
        let mut graph = self.graph.borrow_mut();
        // What is tied is the matrix; a bias beside it is its own.
        let tied = weight.tied.filter(|_| suffix == ".weight");
        let tied_to = tied.and_then(|other| {
            graph.params.iter().position(|param| param.name.strip_suffix(".weight") == Some(other))
        });
        let twin = graph.params.iter().any(|param| param.name == name && param.shape != shape);
        let id = graph.params.iter().position(|param| param.name == name).unwrap_or_else(|| {
            graph.params.push(Param { name: name.clone(), shape, source, tied_to });
            graph.params.len() - 1
        });
        drop(graph);
        self.require(tied.is_some() == tied_to.is_some(), || format!("{name} is tied to nothing"));
        self.require(!twin, || format!("{name} is used in two shapes"));
        id
    }

    fn source(&self, weight: &Weight, suffix: &str) -> Source {
        let (base, rows) = weight.fused.unwrap_or((weight.name, Rows::ALL));
        let canonical = format!("{base}{suffix}");
        let tensor = match (self.dialect, weight.layer) {
            (Dialect::Gguf, Some(layer)) => format!("blk.{layer}.{canonical}"),
            (Dialect::Gguf, None) => canonical,
            (Dialect::HuggingFace, layer) => {
                self.names.hugging_face(layer, &canonical).unwrap_or_else(|| {
                    self.require(false, || format!("{canonical} has no name on the hub"));
                    canonical
                })
            }
        };
        // Matrices are kept turned, their biases never.
        let turn = if suffix == ".weight" { weight.turn } else { Turn::None };
        Source { tensor, rows, whole: weight.fused.is_none(), turn, plus: weight.plus }
    }

    fn rope(&self, rope: &Rope) -> usize {
        let ropes = &mut self.graph.borrow_mut().ropes;
        ropes.iter().position(|other| other == rope).unwrap_or_else(|| {
            ropes.push(rope.clone());
            ropes.len() - 1
        })
    }
}

impl Scope {
    /// The model's own weights.
    pub const MODEL: Scope = Scope { layer: None };

    /// The weight of this canonical name in this scope (no `blk.N.`, no suffix).
    pub fn w(self, name: &'static str) -> Weight {
        Weight {
            layer: self.layer,
            name,
            bias: Bias::No,
            tied: None,
            fused: None,
            turn: Turn::None,
            plus: 0.0,
        }
    }

    /// The number of the layer; 0 at the top of the model.
    pub fn index(self) -> usize {
        self.layer.unwrap_or_default()
    }
}

impl Weight {
    /// With a bias beside it, or not.
    pub fn bias(self, bias: impl Into<Bias>) -> Self {
        Weight { bias: bias.into(), ..self }
    }

    /// Its numbers are those of `other`.
    pub fn tied_to(self, other: &'static str) -> Self {
        Weight { tied: Some(other), ..self }
    }

    /// The checkpoint keeps it (and its bias) as some rows of a larger tensor.
    pub fn rows_of(self, fused: &'static str, rows: Rows) -> Self {
        Weight { fused: Some((fused, rows)), ..self }
    }

    /// The checkpoint keeps it turned.
    pub fn turned(self, turn: Turn) -> Self {
        Weight { turn, ..self }
    }

    /// The checkpoint keeps its numbers less `plus`.
    pub fn plus(self, plus: f32) -> Self {
        Weight { plus, ..self }
    }

    fn full_name(&self, suffix: &str) -> String {
        match self.layer {
            Some(layer) => format!("blk.{layer}.{}{suffix}", self.name),
            None => format!("{}{suffix}", self.name),
        }
    }
}

impl<'n> Flat<'n> {
    /// Entries of a row.
    pub fn width(self) -> usize {
        self.0.width
    }

    /// The graph it is part of.
    pub fn net(self) -> &'n Net {
        self.0.net
    }

    /// `[tokens, in]` -> `[tokens, out]`
    #[track_caller]
    pub fn linear(self, weight: Weight, out: usize) -> Flat<'n> {
        let op = self.0.linear_op(&weight, [1, out, self.0.width]);
        Flat(self.0.then(op, &[], out, weight.layer))
    }

    /// Root-mean-square norm over the whole row.
    #[track_caller]
    pub fn rms_norm(self, weight: Weight, eps: f32) -> Flat<'n> {
        Flat(self.0.rms_norm(Some(&weight), eps, self.0.width, self.0.width))
    }

    /// Layer norm over the whole row, with its bias if the weight has one.
    #[track_caller]
    pub fn layer_norm(self, weight: Weight, eps: f32) -> Flat<'n> {
        Flat(self.0.layer_norm(Some(&weight), eps, self.0.width, self.0.width))
    }

    /// The same rows, seen as `heads` equal parts. Costs nothing.
    #[track_caller]
    pub fn heads(self, heads: usize) -> Heads<'n> {
        let Handle { net, width, .. } = self.0;
        net.require(heads > 0 && width.is_multiple_of(heads.max(1)), || {
            format!("{width} entries do not make {heads} heads")
        });
        Heads { at: self.0, heads: heads.max(1) }
    }

    /// `f(self)`
    #[track_caller]
    pub fn activate(self, f: Activation) -> Flat<'n> {
        Flat(self.0.then(Op::Activate(f), &[], self.0.width, None))
    }

    /// `f(self) * up`
    #[track_caller]
    pub fn activate_mul(self, f: Activation, up: Flat<'n>) -> Flat<'n> {
        self.0.same_width(up.0);
        Flat(self.0.then(Op::ActivateMul(f), &[up.0], self.0.width, None))
    }

    /// `cap * tanh(self / cap)`
    #[track_caller]
    pub fn softcap(self, cap: f32) -> Flat<'n> {
        Flat(self.0.then(Op::Softcap { cap }, &[], self.0.width, None))
    }

    /// `self * factor`; nothing where the factor is one.
    #[track_caller]
    pub fn scale(self, factor: f32) -> Flat<'n> {
        self.0.net.require(factor.is_finite(), || format!("a factor of {factor}"));
        #[expect(clippy::float_cmp, reason = "exactly one means no operation")]
        if factor == 1.0 {
            return self;
        }
        Flat(self.0.then(Op::Scale { factor }, &[], self.0.width, None))
    }

    /// `len` entries of each row, from `start`.
    #[track_caller]
    pub fn slice(self, start: usize, len: usize) -> Flat<'n> {
        Flat(self.0.slice(start, len, self.0.width, 1))
    }

    /// Router logits to the best experts. `select_bias` is added for choosing only.
    #[track_caller]
    pub fn route(self, routing: Routing, select_bias: Option<Weight>) -> Routes<'n> {
        let (net, experts) = (self.0.net, self.0.width);
        let k = routing.k;
        net.require(k >= 1 && k <= experts, || format!("{k} experts are used of {experts}"));
        if let Some(groups) = routing.groups {
            let sound = groups.count > 0
                && experts.is_multiple_of(groups.count.max(1))
                && groups.keep >= 1
                && groups.keep <= groups.count
                && k <= experts / groups.count.max(1) * groups.keep;
            net.require(sound, || {
                format!(
                    "{} of {} groups of {experts} experts can't give {k}",
                    groups.keep, groups.count
                )
            });
        }
        let select_bias = select_bias.map(|weight| net.param(&weight, ".bias", [1, 1, experts]));
        let op = Op::Route { routing, select_bias };
        Routes { at: self.0.then(op, &[], 2 * k.max(1), None), experts, k: k.max(1) }
    }

    /// Each row through the matrices of the experts chosen for it: `[tokens, in]` -> `[tokens * k, out]`.
    #[track_caller]
    pub fn expert_linear(self, routes: Routes<'n>, weight: Weight, out: usize) -> Routed<'n> {
        let op = self.0.expert_op(&weight, [routes.experts, out, self.0.width]);
        let at = self.0.net.push(op, &[self.0, routes.at], out, routes.k, weight.layer);
        Routed { at, routes }
    }

    /// Only the rows whose logits are wanted: what follows is computed for them alone.
    #[track_caller]
    pub fn wanted(self) -> Flat<'n> {
        let Handle { net, width, .. } = self.0;
        Flat(net.push(Op::Wanted, &[self.0], width, 1, None))
    }
}

impl<'n> Heads<'n> {
    /// Entries of a head.
    pub fn head_dim(self) -> usize {
        self.at.width / self.heads
    }

    /// Norm within each head, one gain for all of them.
    #[track_caller]
    pub fn rms_norm(self, weight: Weight, eps: f32) -> Self {
        let dim = self.head_dim();
        Self { at: self.at.rms_norm(Some(&weight), eps, dim, dim), ..self }
    }

    /// Layer norm within each head, every head with a gain of its own: `[heads, 1, head_dim]`. A name
    /// with `{expert}` in it gives each head's gain a tensor of its own.
    #[track_caller]
    pub fn layer_norm_each(self, weight: Weight, eps: f32) -> Self {
        let dim = self.head_dim();
        let gain = Some(self.at.net.param(&weight, ".weight", [self.heads, 1, dim]));
        let op = Op::LayerNorm { gain, bias: None, eps, group: dim };
        Self { at: self.at.then(op, &[], self.at.width, None), ..self }
    }

    /// Layer norm within each head, one gain for all of them.
    #[track_caller]
    pub fn layer_norm(self, weight: Weight, eps: f32) -> Self {
        let dim = self.head_dim();
        Self { at: self.at.layer_norm(Some(&weight), eps, dim, dim), ..self }
    }

    /// Turns the first `rope.dims` entries of each head by its row's position.
    #[track_caller]
    pub fn rope(self, rope: &Rope) -> Self {
        self.rope_from(0, rope)
    }

    /// Turns `rope.dims` entries of each head, from entry `first`.
    #[track_caller]
    pub fn rope_from(self, first: usize, rope: &Rope) -> Self {
        let net = self.at.net;
        net.require(first + rope.dims <= self.head_dim(), || {
            format!("{} entries turn from {first} in heads of {}", rope.dims, self.head_dim())
        });
        let op = Op::Rope { rope: net.rope(rope), heads: self.heads, first };
        Self { at: self.at.then(op, &[], self.at.width, None), ..self }
    }

    /// `len` entries of each head, from `start`.
    #[track_caller]
    pub fn slice(self, start: usize, len: usize) -> Self {
        Self { at: self.at.slice(start, len, self.head_dim(), self.heads), ..self }
    }

    /// Each head followed by the same head of `other`, or by its only head.
    #[track_caller]
    pub fn concat(self, other: Self) -> Self {
        self.at.net.require(other.heads == self.heads || other.heads == 1, || {
            format!("{} heads joined to {}", other.heads, self.heads)
        });
        let width = self.at.width + other.head_dim() * self.heads;
        Self {
            at: self.at.then(Op::Concat { parts: self.heads }, &[other.at], width, None),
            ..self
        }
    }

    /// Each head through its own matrix `[heads, out, head_dim]`.
    #[track_caller]
    pub fn linear(self, weight: Weight, out: usize) -> Self {
        let shape = [self.heads, out, self.head_dim()];
        let op = Op::HeadLinear { weight: self.at.net.param(&weight, ".weight", shape) };
        Self { at: self.at.then(op, &[], out * self.heads, weight.layer), ..self }
    }

    /// Softmax attention over this layer's cache, `k` and `v` appended first: `[tokens, heads, head_dim of v]`.
    #[track_caller]
    pub fn attend(self, k: Self, v: Self, layer: Scope, with: AttendWith) -> Self {
        self.at.net.require(k.heads == v.heads, || {
            format!("{} key heads, {} value heads", k.heads, v.heads)
        });
        self.attend_op(k, Some(v), v.head_dim(), layer, with)
    }

    /// Attention whose values are the first `value_dim` entries of the keys (latent attention).
    #[track_caller]
    pub fn attend_latent(self, k: Self, value_dim: usize, layer: Scope, with: AttendWith) -> Self {
        self.at.net.require(value_dim <= k.head_dim(), || {
            format!("values of {value_dim} entries within keys of {}", k.head_dim())
        });
        self.attend_op(k, None, value_dim, layer, with)
    }

    #[track_caller]
    fn attend_op(
        self,
        k: Self,
        v: Option<Self>,
        value_dim: usize,
        layer: Scope,
        with: AttendWith,
    ) -> Self {
        let (net, heads, kv_heads, key_dim) = (self.at.net, self.heads, k.heads, self.head_dim());
        net.require(k.head_dim() == key_dim, || {
            format!("query heads of {key_dim} entries, key heads of {}", k.head_dim())
        });
        net.require(heads.is_multiple_of(kv_heads), || {
            format!("{heads} query heads do not share {kv_heads} key heads")
        });
        net.require(with.scale.is_finite(), || format!("scores are scaled by {}", with.scale));
        let attention = Attention {
            layer: layer.index(),
            heads,
            kv_heads,
            key_dim,
            value_dim,
            mask: with.mask,
            scale: with.scale,
            softcap: with.softcap,
            value: if v.is_some() { ValueStore::Own } else { ValueStore::PrefixOfKey },
        };
        let sinks = with.sinks.map(|weight| net.param(&weight, ".weight", [1, 1, heads]));
        let inputs: Vec<Handle<'n>> = [Some(k.at), v.map(|v| v.at)].into_iter().flatten().collect();
        let op = Op::Attend { attention, sinks };
        Self { at: self.at.then(op, &inputs, heads * value_dim, layer.layer), heads }
    }

    /// The heads side by side again: `[tokens, heads * head_dim]`. Costs nothing.
    pub fn flat(self) -> Flat<'n> {
        Flat(self.at)
    }
}

impl<'n> Routed<'n> {
    /// Each row through its own expert's matrix.
    #[track_caller]
    pub fn linear(self, weight: Weight, out: usize) -> Self {
        let op = self.at.expert_op(&weight, [self.routes.experts, out, self.at.width]);
        let inputs = [self.at, self.routes.at];
        Self { at: self.at.net.push(op, &inputs, out, self.routes.k, weight.layer), ..self }
    }

    /// `f(self) * up`
    #[track_caller]
    pub fn activate_mul(self, f: Activation, up: Self) -> Self {
        self.at.same_width(up.at);
        Self { at: self.at.then(Op::ActivateMul(f), &[up.at], self.at.width, None), ..self }
    }

    /// The clamped SwiGLU of gpt-oss, this being the gate.
    #[track_caller]
    pub fn swiglu_clamped(self, up: Self, alpha: f32, limit: f32) -> Self {
        self.at.same_width(up.at);
        let op = Op::SwigluClamped { alpha, limit };
        Self { at: self.at.then(op, &[up.at], self.at.width, None), ..self }
    }

    /// Back to one row a token: the weighted sum over its experts.
    #[track_caller]
    pub fn combine(self) -> Flat<'n> {
        let inputs = [self.at, self.routes.at];
        Flat(self.at.net.push(Op::Combine, &inputs, self.at.width, 1, self.at.layer))
    }
}

impl<'n> ops::Add for Flat<'n> {
    type Output = Flat<'n>;
    #[track_caller]
    fn add(self, other: Flat<'n>) -> Flat<'n> {
        self.0.same_width(other.0);
        Flat(self.0.then(Op::Add, &[other.0], self.0.width, None))
    }
}

impl<'n> ops::Mul for Flat<'n> {
    type Output = Flat<'n>;
    /// Entry by entry, or by one entry a row.
    #[track_caller]
    fn mul(self, other: Flat<'n>) -> Flat<'n> {
        if other.0.width != 1 {
            self.0.same_width(other.0);
        }
        Flat(self.0.then(Op::Mul, &[other.0], self.0.width, None))
    }
}

impl<'n> Handle<'n> {
    #[track_caller]
    fn same_width(self, other: Handle<'n>) {
        self.net.require(self.width == other.width, || {
            format!("rows of {} and {} entries meet", self.width, other.width)
        });
    }

    #[track_caller]
    fn then(self, op: Op, others: &[Handle<'n>], width: usize, layer: Option<usize>) -> Handle<'n> {
        let mut inputs = vec![self];
        inputs.extend_from_slice(others);
        self.net.push(op, &inputs, width, self.rows, layer.or(self.layer))
    }

    #[track_caller]
    fn linear_op(self, weight: &Weight, shape: [usize; 3]) -> Op {
        let bias =
            (weight.bias == Bias::Yes).then(|| self.net.param(weight, ".bias", [1, 1, shape[1]]));
        Op::Linear { weight: self.net.param(weight, ".weight", shape), bias }
    }

    #[track_caller]
    fn expert_op(self, weight: &Weight, shape: [usize; 3]) -> Op {
        let bias = (weight.bias == Bias::Yes)
            .then(|| self.net.param(weight, ".bias", [1, shape[0], shape[1]]));
        Op::ExpertLinear { weight: self.net.param(weight, ".weight", shape), bias }
    }

    #[track_caller]
    fn rms_norm(self, gain: Option<&Weight>, eps: f32, group: usize, len: usize) -> Handle<'n> {
        let gain = gain.map(|weight| self.net.param(weight, ".weight", [1, 1, len]));
        self.then(Op::RmsNorm { gain, eps, group }, &[], self.width, None)
    }

    #[track_caller]
    fn layer_norm(self, gain: Option<&Weight>, eps: f32, group: usize, len: usize) -> Handle<'n> {
        let bias = gain
            .filter(|weight| weight.bias == Bias::Yes)
            .map(|weight| self.net.param(weight, ".bias", [1, 1, len]));
        let gain = gain.map(|weight| self.net.param(weight, ".weight", [1, 1, len]));
        self.then(Op::LayerNorm { gain, bias, eps, group }, &[], self.width, None)
    }

    #[track_caller]
    fn slice(self, start: usize, len: usize, group: usize, parts: usize) -> Handle<'n> {
        self.net.require(start + len <= group, || {
            format!("entries {start}..{} of {group} are cut out", start + len)
        });
        self.then(Op::Slice { start, len, group }, &[], len * parts, None)
    }
}
