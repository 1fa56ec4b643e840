//! What a Bicep file says, as a tree: only what the checks need, but of all expressions.

use std::fmt;

/// A place in a file, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// An expression, where it stands, and its bytes in the text.
#[derive(Clone, Debug)]
pub struct Node {
    pub kind: Kind,
    pub at: At,
    pub span: (usize, usize),
    /// Whether it stands in parentheses of its own.
    pub closed: bool,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Text(Vec<Piece>),
    Number(i64),
    Bool(bool),
    Null,
    Name(String),
    /// `of.name`, or `of.?name`.
    Member {
        of: Box<Node>,
        name: String,
        safe: bool,
    },
    /// `of[index]`, or `of[?index]`.
    Index {
        of: Box<Node>,
        index: Box<Node>,
        safe: bool,
    },
    Call {
        name: String,
        args: Vec<Node>,
    },
    Object(Vec<Entry>),
    Array(Vec<Node>),
    Ternary(Box<[Node; 3]>),
    Binary {
        op: String,
        sides: Box<[Node; 2]>,
    },
    Unary {
        op: String,
        of: Box<Node>,
    },
    For(Box<Loop>),
    If(Box<[Node; 2]>),
    Lambda {
        params: Vec<String>,
        body: Box<Node>,
    },
    /// What these checks do not read, as written.
    Other(String),
}

/// A part of a string.
#[derive(Clone, Debug)]
pub enum Piece {
    Literal(String),
    Inserted(Node),
}

/// `[for (item, index) in over: body]`
#[derive(Clone, Debug)]
pub struct Loop {
    pub item: String,
    pub index: Option<String>,
    pub over: Node,
    pub body: Node,
}

/// A property of an object. `span` is all of it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub key: Vec<Piece>,
    pub value: Node,
    pub at: At,
    pub span: (usize, usize),
}

impl Entry {
    /// The key, if it is written out.
    pub fn name(&self) -> Option<&str> {
        literal(&self.key)
    }
}

/// The text of a string without insertions.
pub fn literal(pieces: &[Piece]) -> Option<&str> {
    match pieces {
        [] => Some(""),
        [Piece::Literal(text)] => Some(text),
        _ => None,
    }
}

impl Node {
    /// The text, if it is a string without insertions.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(pieces) => literal(pieces),
            _ => None,
        }
    }

    /// The property of this name, of an object that is written out.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        match &self.kind {
            Kind::Object(entries) => entries.iter().find(|entry| entry.name() == Some(name)),
            _ => None,
        }
    }

    /// Calls `see` with this node and all below it.
    pub fn walk<'n>(&'n self, see: &mut dyn FnMut(&'n Self)) {
        see(self);
        let pieces = |pieces: &'n [Piece], see: &mut dyn FnMut(&'n Self)| {
            for piece in pieces {
                if let Piece::Inserted(node) = piece {
                    node.walk(see);
                }
            }
        };
        match &self.kind {
            Kind::Text(parts) => pieces(parts, see),
            Kind::Member { of, .. } | Kind::Unary { of, .. } => of.walk(see),
            Kind::Index { of, index, .. } => {
                of.walk(see);
                index.walk(see);
            }
            Kind::Call { args, .. } => args.iter().for_each(|arg| arg.walk(see)),
            Kind::Object(entries) => {
                for entry in entries {
                    pieces(&entry.key, see);
                    entry.value.walk(see);
                }
            }
            Kind::Array(items) => items.iter().for_each(|item| item.walk(see)),
            Kind::Ternary(parts) => parts.iter().for_each(|part| part.walk(see)),
            Kind::Binary { sides, .. } => sides.iter().for_each(|side| side.walk(see)),
            Kind::For(each) => {
                each.over.walk(see);
                each.body.walk(see);
            }
            Kind::If(parts) => parts.iter().for_each(|part| part.walk(see)),
            Kind::Lambda { body, .. } => body.walk(see),
            Kind::Number(_) | Kind::Bool(_) | Kind::Null | Kind::Name(_) | Kind::Other(_) => {}
        }
    }
}

/// `@name(args)`
#[derive(Clone, Debug)]
pub struct Decorator {
    pub name: String,
    pub args: Vec<Node>,
}

#[derive(Clone, Debug)]
pub struct Param {
    pub name: String,
    /// As written, without blanks.
    pub kind: String,
    pub default: Option<Node>,
    pub decorators: Vec<Decorator>,
    pub at: At,
    pub span: (usize, usize),
}

#[derive(Clone, Debug)]
pub struct Var {
    pub name: String,
    pub value: Node,
    pub at: At,
}

/// A resource or a module.
#[derive(Clone, Debug)]
pub struct Block {
    pub symbol: String,
    /// A resource's type without the version, or a module's path.
    pub target: String,
    /// A resource's api version.
    pub version: Option<String>,
    pub existing: bool,
    /// The object, with the loop and the condition around it.
    pub value: Node,
    /// Resources that are declared within.
    pub children: Vec<Self>,
    pub at: At,
    pub span: (usize, usize),
}

impl Block {
    /// The object without the loop and the condition around it.
    pub fn body(&self) -> &Node {
        let mut node = &self.value;
        loop {
            node = match &node.kind {
                Kind::For(each) => &each.body,
                Kind::If(parts) => &parts[1],
                _ => return node,
            };
        }
    }
}

#[derive(Clone, Debug)]
pub struct Output {
    pub name: String,
    pub kind: String,
    pub value: Node,
    pub decorators: Vec<Decorator>,
    pub at: At,
}

/// Something that the grammar does not take.
#[derive(Clone, Debug)]
pub struct Fault {
    pub at: At,
    pub text: String,
}

/// A Bicep file.
#[derive(Clone, Debug, Default)]
pub struct File {
    pub path: String,
    pub text: String,
    pub scope: Option<String>,
    pub params: Vec<Param>,
    pub vars: Vec<Var>,
    pub types: Vec<String>,
    pub resources: Vec<Block>,
    pub modules: Vec<Block>,
    pub outputs: Vec<Output>,
    /// What the grammar refuses.
    pub faults: Vec<Fault>,
    /// Statements that these checks do not read.
    pub others: Vec<Fault>,
}

impl File {
    /// The text of `@description`.
    pub fn description(decorators: &[Decorator]) -> Option<&str> {
        let of = decorators.iter().find(|decorator| decorator.name == "description")?;
        of.args.first()?.text().filter(|text| !text.trim().is_empty())
    }

    pub fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name == name)
    }

    /// All resources, those within others after them.
    pub fn all_resources(&self) -> Vec<&Block> {
        fn add<'b>(blocks: &'b [Block], all: &mut Vec<&'b Block>) {
            for block in blocks {
                all.push(block);
                add(&block.children, all);
            }
        }
        let mut all = Vec::new();
        add(&self.resources, &mut all);
        all
    }

    /// All resources, each with this file.
    pub fn all_resources_with(&self) -> Vec<(&Self, &Block)> {
        self.all_resources().into_iter().map(|block| (self, block)).collect()
    }

    /// Every expression of the file.
    pub fn walk<'f>(&'f self, see: &mut dyn FnMut(&'f Node)) {
        for param in &self.params {
            if let Some(default) = &param.default {
                default.walk(see);
            }
        }
        self.vars.iter().for_each(|var| var.value.walk(see));
        self.all_resources().into_iter().for_each(|block| block.value.walk(see));
        self.modules.iter().for_each(|block| block.value.walk(see));
        self.outputs.iter().for_each(|output| output.value.walk(see));
    }
}
