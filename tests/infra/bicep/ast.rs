//! What a Bicep file says, as a tree: only what the checks need, but of all expressions.

use std::fmt;

/// A place in a file, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// An expression, where it stands, and its bytes in the text.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) at: At,
    pub(crate) span: (usize, usize),
    /// Whether it stands in parentheses of its own.
    pub(crate) closed: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
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
    /// What these checks do not read.
    Other,
}

/// A part of a string.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Literal(String),
    Inserted(Node),
}

/// `[for (item, index) in over: body]`
#[derive(Clone, Debug)]
pub(crate) struct Loop {
    pub(crate) item: String,
    pub(crate) index: Option<String>,
    pub(crate) over: Node,
    pub(crate) body: Node,
}

/// A property of an object. `span` is all of it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Vec<Piece>,
    pub(crate) value: Node,
    pub(crate) span: (usize, usize),
}

impl Entry {
    /// The key, if it is written out.
    pub(crate) fn name(&self) -> Option<&str> {
        literal(&self.key)
    }
}

/// The text of a string without insertions.
pub(crate) fn literal(pieces: &[Piece]) -> Option<&str> {
    match pieces {
        [] => Some(""),
        [Piece::Literal(text)] => Some(text),
        _ => None,
    }
}

impl Node {
    /// The text, if it is a string without insertions.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(pieces) => literal(pieces),
            _ => None,
        }
    }

    /// The property of this name, of an object that is written out.
    pub(crate) fn get(&self, name: &str) -> Option<&Entry> {
        match &self.kind {
            Kind::Object(entries) => entries.iter().find(|entry| entry.name() == Some(name)),
            _ => None,
        }
    }

    /// Calls `see` with this node and all below it.
    pub(crate) fn walk<'n>(&'n self, see: &mut dyn FnMut(&'n Self)) {
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
            Kind::Number(_) | Kind::Bool(_) | Kind::Null | Kind::Name(_) | Kind::Other => {}
        }
    }
}

/// `@name(args)`
#[derive(Clone, Debug)]
pub(crate) struct Decorator {
    pub(crate) name: String,
    pub(crate) args: Vec<Node>,
}

#[derive(Clone, Debug)]
pub(crate) struct Param {
    pub(crate) name: String,
    /// As written, without blanks.
    pub(crate) kind: String,
    pub(crate) default: Option<Node>,
    pub(crate) decorators: Vec<Decorator>,
    pub(crate) at: At,
}

#[derive(Clone, Debug)]
pub(crate) struct Var {
    pub(crate) name: String,
    pub(crate) value: Node,
    pub(crate) at: At,
}

/// A resource or a module.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) symbol: String,
    /// A resource's type without the version, or a module's path.
    pub(crate) target: String,
    /// A resource's api version.
    pub(crate) version: Option<String>,
    pub(crate) existing: bool,
    /// The object, with the loop and the condition around it.
    pub(crate) value: Node,
    /// Resources that are declared within.
    pub(crate) children: Vec<Self>,
    pub(crate) at: At,
    pub(crate) span: (usize, usize),
}

impl Block {
    /// The object without the loop and the condition around it.
    pub(crate) fn body(&self) -> &Node {
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
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) value: Node,
    pub(crate) decorators: Vec<Decorator>,
    pub(crate) at: At,
}

/// Something that the grammar does not take.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) at: At,
    pub(crate) text: String,
}

/// A Bicep file.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) scope: Option<String>,
    pub(crate) params: Vec<Param>,
    pub(crate) vars: Vec<Var>,
    pub(crate) types: Vec<String>,
    pub(crate) resources: Vec<Block>,
    pub(crate) modules: Vec<Block>,
    pub(crate) outputs: Vec<Output>,
    /// What the grammar refuses.
    pub(crate) faults: Vec<Fault>,
    /// Statements that these checks do not read.
    pub(crate) others: Vec<Fault>,
}

impl File {
    /// The text of `@description`.
    pub(crate) fn description(decorators: &[Decorator]) -> Option<&str> {
        let of = decorators.iter().find(|decorator| decorator.name == "description")?;
        of.args.first()?.text().filter(|text| !text.trim().is_empty())
    }

    pub(crate) fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name == name)
    }

    /// All resources, those within others after them.
    pub(crate) fn all_resources(&self) -> Vec<&Block> {
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
    pub(crate) fn all_resources_with(&self) -> Vec<(&Self, &Block)> {
        self.all_resources().into_iter().map(|block| (self, block)).collect()
    }

    /// Every expression of the file.
    pub(crate) fn walk<'f>(&'f self, see: &mut dyn FnMut(&'f Node)) {
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
