//! The parsed template: statements and expressions.
//!
//! Chains (`a + b + c`, `x.y[0]|trim`, `elif`) are lists rather than nested pairs, so the depth of
//! the tree is the depth of brackets and blocks in the source, which the parser bounds.

/// An interned name.
pub(super) type Sym = u32;

/// A whole template.
pub(super) struct Program {
    pub(super) body: Vec<Stmt>,
    pub(super) names: Vec<String>,
    pub(super) literals: Vec<String>,
    pub(super) macros: Vec<Macro>,
    pub(super) loops: Vec<For>,
}

/// A macro, or the body of a `call` block.
pub(super) struct Macro {
    pub(super) name: Sym,
    pub(super) params: Vec<(Sym, Option<Expr>)>,
    pub(super) body: Vec<Stmt>,
    /// Whether the body names `varargs`, `kwargs`, `caller`: only then may they be passed.
    pub(super) takes: Takes,
}

/// Which surplus arguments a macro accepts.
#[derive(Clone, Copy, Default)]
pub(super) struct Takes {
    pub(super) varargs: Option<Sym>,
    pub(super) kwargs: Option<Sym>,
    pub(super) caller: Option<Sym>,
}

pub(super) struct Stmt {
    pub(super) line: usize,
    pub(super) kind: StmtKind,
}

pub(super) enum StmtKind {
    Data(String),
    Print(Expr),
    If { branches: Vec<(Expr, Vec<Stmt>)>, otherwise: Vec<Stmt> },
    For(usize),
    Set { target: Target, value: Expr },
    SetBlock { target: Target, filters: Vec<Suffix>, body: Vec<Stmt> },
    Macro(usize),
    Call { call: Expr, body: usize },
    Filter { filters: Vec<Suffix>, body: Vec<Stmt> },
    With { bindings: Vec<(Target, Expr)>, body: Vec<Stmt> },
    Generation(Vec<Stmt>),
    Scope(Vec<Stmt>),
    Break,
    Continue,
}

pub(super) struct For {
    pub(super) target: Target,
    pub(super) iter: Expr,
    pub(super) condition: Option<Expr>,
    pub(super) recursion: Recursion,
    /// The name `loop`.
    pub(super) state: Sym,
    pub(super) body: Vec<Stmt>,
    pub(super) otherwise: Vec<Stmt>,
}

/// Whether `loop(...)` may be called in the body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Recursion {
    Allowed,
    Refused,
}

/// What an assignment writes to.
pub(super) enum Target {
    Name(Sym),
    Attribute(Sym, Sym),
    Tuple(Vec<Target>),
}

pub(super) enum Expr {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(usize),
    Name(Sym),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Not(Box<Expr>),
    Neg(Box<Expr>),
    Pos(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    Arith(Box<Expr>, Vec<(Op, Expr)>),
    Concat(Vec<Expr>),
    Choose { test: Box<Expr>, then: Box<Expr>, otherwise: Option<Box<Expr>> },
    Chain(Box<Expr>, Vec<Suffix>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Rem,
    Pow,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}

/// What follows a value.
pub(super) enum Suffix {
    Attribute(Sym),
    Item(Expr),
    Slice(Box<[Option<Expr>; 3]>),
    Call(Args),
    Filter(Sym, Args),
    Test { name: Sym, args: Args, wanted: Wanted },
}

/// Whether a test is asked plainly or under `not`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Holds,
    Fails,
}

#[derive(Default)]
pub(super) struct Args {
    pub(super) positional: Vec<Expr>,
    pub(super) named: Vec<(Sym, Expr)>,
    pub(super) star: Option<Box<Expr>>,
    pub(super) double_star: Option<Box<Expr>>,
}
