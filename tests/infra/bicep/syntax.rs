//! From the text of a Bicep file to its tree, by the grammar of tree-sitter.
//!
//! The grammar binds `.name`, `[index]` and what follows a lambda too loosely: `c ? a : b.d` comes as `(c ? a : b).d`, and
//! `x => x.a == 'b'` as `((x => x).a) == 'b'`. Both are put right here.

use super::ast::{
    At, Block, Decorator, Entry, Fault, File, Kind, Loop, Node, Output, Param, Piece, Var,
};
use tree_sitter::{Node as Tree, Parser};

/// Reads a file. Whatever the grammar refuses is among its faults.
pub(crate) fn read(path: &str, text: &str) -> File {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_bicep::LANGUAGE.into()).expect("a grammar of this version");
    let tree = parser.parse(text, None).expect("no time limit is set");
    let reader = Reader { text };
    let mut file = File { path: path.to_owned(), text: text.to_owned(), ..File::default() };
    reader.faults(tree.root_node(), &mut file.faults);
    let mut decorators = Vec::new();
    for statement in named(tree.root_node()) {
        match statement.kind() {
            "decorators" => decorators = reader.decorators(statement),
            "comment" | "diagnostic_comment" => {}
            _ => reader.statement(statement, std::mem::take(&mut decorators), &mut file),
        }
    }
    file
}

struct Reader<'t> {
    text: &'t str,
}

fn named(tree: Tree<'_>) -> Vec<Tree<'_>> {
    let mut cursor = tree.walk();
    tree.named_children(&mut cursor).filter(|child| !child.kind().contains("comment")).collect()
}

fn children(tree: Tree<'_>) -> Vec<Tree<'_>> {
    let mut cursor = tree.walk();
    tree.children(&mut cursor).collect()
}

fn at(tree: Tree<'_>) -> At {
    let start = tree.start_position();
    At { line: start.row + 1, column: start.column + 1 }
}

fn span(tree: Tree<'_>) -> (usize, usize) {
    (tree.start_byte(), tree.end_byte())
}

impl Reader<'_> {
    fn source(&self, tree: Tree<'_>) -> &str {
        &self.text[tree.byte_range()]
    }

    fn faults(&self, tree: Tree<'_>, faults: &mut Vec<Fault>) {
        if tree.is_missing() {
            faults.push(Fault { at: at(tree), text: format!("`{}` is missing", tree.kind()) });
        } else if tree.is_error() {
            let text = self.source(tree).lines().next().unwrap_or_default();
            let text: String = text.chars().take(40).collect();
            faults.push(Fault { at: at(tree), text: format!("`{text}` is not understood") });
        } else if tree.has_error() {
            for child in children(tree) {
                self.faults(child, faults);
            }
        }
    }

    fn statement(&self, tree: Tree<'_>, decorators: Vec<Decorator>, file: &mut File) {
        let parts = named(tree);
        let first = parts.first().map(|part| self.source(*part).to_owned()).unwrap_or_default();
        let last = |parts: &[Tree<'_>]| parts.last().map(|part| self.node(*part));
        let kind = || {
            let of_type = parts.iter().find(|part| part.kind() == "type");
            of_type.map(|part| self.source(*part).split_whitespace().collect()).unwrap_or_default()
        };
        match tree.kind() {
            "target_scope_assignment" => {
                file.scope = last(&parts).and_then(|node| node.text().map(str::to_owned));
            }
            "type_declaration" => file.types.push(first),
            "parameter_declaration" => file.params.push(Param {
                name: first,
                kind: kind(),
                default: parts.get(2).map(|part| self.node(*part)),
                decorators,
                at: at(tree),
            }),
            "variable_declaration" => {
                if let (Some(value), true) = (last(&parts), parts.len() == 2) {
                    file.vars.push(Var { name: first, value, at: at(tree) });
                } else {
                    let text = format!("the variable `{first}` is not `var name = value`");
                    file.others.push(Fault { at: at(tree), text });
                }
            }
            "output_declaration" => {
                if let Some(value) = last(&parts) {
                    let kind = kind();
                    file.outputs.push(Output {
                        name: first,
                        kind,
                        value,
                        decorators,
                        at: at(tree),
                    });
                }
            }
            "resource_declaration" => file.resources.extend(self.block(tree)),
            "module_declaration" => file.modules.extend(self.block(tree)),
            "metadata_declaration" | "ERROR" => {}
            other => {
                let what = other.replace('_', " ");
                let text = format!("a {what} is not read by these checks");
                file.others.push(Fault { at: at(tree), text });
            }
        }
    }

    fn decorators(&self, tree: Tree<'_>) -> Vec<Decorator> {
        let of = |decorator: &Tree<'_>| {
            let call = named(*decorator).into_iter().next()?;
            let Kind::Call { name, args } = self.node(call).kind else { return None };
            Some(Decorator { name, args })
        };
        named(tree).iter().filter_map(of).collect()
    }

    fn block(&self, tree: Tree<'_>) -> Option<Block> {
        let parts = named(tree);
        let [symbol, target, .., value] = parts.as_slice() else { return None };
        let target = self.node(*target);
        let target = target.text()?;
        let (target, version) = match target.split_once('@') {
            Some((kind, version)) => (kind, Some(version.to_owned())),
            None => (target, None),
        };
        let mut inner = Vec::new();
        self.inner(*value, &mut inner);
        Some(Block {
            symbol: self.source(*symbol).to_owned(),
            target: target.to_owned(),
            version,
            existing: children(tree).iter().any(|child| child.kind() == "existing"),
            value: self.node(*value),
            children: inner,
            at: at(tree),
            span: span(tree),
        })
    }

    /// The resources that are declared directly in the object of another.
    fn inner(&self, tree: Tree<'_>, found: &mut Vec<Block>) {
        match tree.kind() {
            "for_statement" | "if_statement" => {
                for child in named(tree) {
                    self.inner(child, found);
                }
            }
            "object" => {
                for property in named(tree) {
                    for child in named(property) {
                        if child.kind() == "resource_declaration" {
                            found.extend(self.block(child));
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn node(&self, tree: Tree<'_>) -> Node {
        let parts = named(tree);
        let field = |name: &str| tree.child_by_field_name(name).map(|child| self.node(child));
        let safe = || children(tree).iter().any(|child| matches!(child.kind(), ".?" | "?"));
        let new = |kind| Node { kind, at: at(tree), span: span(tree), closed: false };
        let other = || new(Kind::Other);
        let kind = match tree.kind() {
            "string" => Kind::Text(self.pieces(tree)),
            "number" => match self.source(tree).parse() {
                Ok(number) => Kind::Number(number),
                Err(_) => return other(),
            },
            "boolean" => Kind::Bool(self.source(tree) == "true"),
            "null" => Kind::Null,
            "identifier" | "property_identifier" => Kind::Name(self.source(tree).to_owned()),
            "parenthesized_expression" => {
                return parts
                    .first()
                    .map_or_else(other, |part| Node { closed: true, ..self.node(*part) });
            }
            "member_expression" => {
                let (Some(of), Some(name)) = (field("object"), field("property")) else {
                    return other();
                };
                let Kind::Name(name) = name.kind else { return other() };
                return after(of, &|of, at, (start, _)| {
                    let span = (start, tree.end_byte());
                    let kind = Kind::Member { of: Box::new(of), name: name.clone(), safe: safe() };
                    Node { kind, at, span, closed: false }
                });
            }
            "subscript_expression" => {
                let (Some(of), Some(index)) = (field("object"), field("index")) else {
                    return other();
                };
                return after(of, &|of, at, (start, _)| {
                    let span = (start, tree.end_byte());
                    let (of, index) = (Box::new(of), Box::new(index.clone()));
                    Node { kind: Kind::Index { of, index, safe: safe() }, at, span, closed: false }
                });
            }
            "call_expression" => {
                let function = field("function");
                let arguments = tree.child_by_field_name("arguments");
                let args =
                    arguments.map(|list| named(list).iter().map(|a| self.node(*a)).collect());
                let name = match function.map(|node| node.kind) {
                    Some(Kind::Name(name)) => name,
                    // A namespace: `az.`, `sys.`.
                    Some(Kind::Member { of, name, .. }) if matches!(of.kind, Kind::Name(_)) => name,
                    _ => return other(),
                };
                Kind::Call { name, args: args.unwrap_or_default() }
            }
            "object" => Kind::Object(parts.iter().filter_map(|part| self.entry(*part)).collect()),
            "array" => Kind::Array(parts.iter().map(|part| self.node(*part)).collect()),
            "ternary_expression" => {
                let three = [field("condition"), field("consequence"), field("alternative")];
                let [Some(condition), Some(yes), Some(no)] = three else { return other() };
                return before(condition, |condition| {
                    new(Kind::Ternary(Box::new([condition, yes, no])))
                });
            }
            "binary_expression" => {
                let (Some(left), Some(right)) = (field("left"), field("right")) else {
                    return other();
                };
                let op = tree.child_by_field_name("operator");
                let op = op.map(|op| self.source(op).to_owned()).unwrap_or_default();
                return before(left, |left| {
                    new(Kind::Binary { op, sides: Box::new([left, right]) })
                });
            }
            "unary_expression" => {
                let Some(of) = field("argument") else { return other() };
                let op = tree.child_by_field_name("operator");
                let op = op.map(|op| self.source(op).to_owned()).unwrap_or_default();
                Kind::Unary { op, of: Box::new(of) }
            }
            "for_statement" => match self.each(tree) {
                Some(each) => Kind::For(Box::new(each)),
                None => return other(),
            },
            "if_statement" => {
                let [condition, body] = parts.as_slice() else { return other() };
                Kind::If(Box::new([self.node(*condition), self.node(*body)]))
            }
            "lambda_expression" => {
                let [params, body] = parts.as_slice() else { return other() };
                let params = match params.kind() {
                    "identifier" => vec![self.source(*params).to_owned()],
                    _ => named(*params).iter().map(|p| self.source(*p).to_owned()).collect(),
                };
                Kind::Lambda { params, body: Box::new(self.node(*body)) }
            }
            _ => return other(),
        };
        new(kind)
    }

    fn each(&self, tree: Tree<'_>) -> Option<Loop> {
        let body = self.node(tree.child_by_field_name("body")?);
        let parts = named(tree);
        let (head, over) = (parts.first()?, parts.get(1)?);
        let over = self.node(*over);
        let mut names = match head.kind() {
            "for_loop_parameters" => named(*head),
            _ => vec![*head],
        }
        .into_iter()
        .map(|name| self.source(name).to_owned());
        Some(Loop { item: names.next()?, index: names.next(), over, body })
    }

    fn entry(&self, tree: Tree<'_>) -> Option<Entry> {
        let parts = named(tree);
        let [key, .., value] = parts.as_slice() else { return None };
        let key = match key.kind() {
            "string" => self.pieces(*key),
            _ => vec![Piece::Literal(self.source(*key).to_owned())],
        };
        Some(Entry { key, value: self.node(*value), span: span(tree) })
    }

    fn pieces(&self, tree: Tree<'_>) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        let multiline = self.source(tree).starts_with("'''");
        for child in named(tree) {
            let literal = match child.kind() {
                "interpolation" => {
                    if let Some(inner) = named(child).first() {
                        pieces.push(Piece::Inserted(self.node(*inner)));
                    }
                    continue;
                }
                "escape_sequence" => unescaped(self.source(child)),
                // A line break right after the opening quotes is not part of the text.
                _ if multiline && pieces.is_empty() => {
                    let text = self.source(child);
                    text.strip_prefix('\n').unwrap_or(text).to_owned()
                }
                _ => self.source(child).to_owned(),
            };
            match pieces.last_mut() {
                Some(Piece::Literal(text)) => text.push_str(&literal),
                _ => pieces.push(Piece::Literal(literal)),
            }
        }
        pieces
    }
}

fn unescaped(escape: &str) -> String {
    match escape {
        "\\n" => "\n".to_owned(),
        "\\r" => "\r".to_owned(),
        "\\t" => "\t".to_owned(),
        _ => escape
            .strip_prefix("\\u{")
            .and_then(|rest| u32::from_str_radix(rest.trim_end_matches('}'), 16).ok())
            .and_then(char::from_u32)
            .map_or_else(|| escape.strip_prefix('\\').unwrap_or(escape).to_owned(), String::from),
    }
}

/// Puts a postfix operator after the operand that it belongs to: the last one.
fn after(of: Node, wrap: &dyn Fn(Node, At, (usize, usize)) -> Node) -> Node {
    if of.closed {
        let (at, span) = (of.at, of.span);
        return wrap(of, at, span);
    }
    match of.kind {
        Kind::Lambda { params, body } => {
            let kind = Kind::Lambda { params, body: Box::new(after(*body, wrap)) };
            Node { kind, ..of }
        }
        Kind::Ternary(parts) => {
            let [condition, yes, no] = *parts;
            let kind = Kind::Ternary(Box::new([condition, yes, after(no, wrap)]));
            Node { kind, ..of }
        }
        Kind::Binary { op, sides } => {
            let [left, right] = *sides;
            let kind = Kind::Binary { op, sides: Box::new([left, after(right, wrap)]) };
            Node { kind, ..of }
        }
        Kind::Unary { op, of: inner } => {
            let kind = Kind::Unary { op, of: Box::new(after(*inner, wrap)) };
            Node { kind, ..of }
        }
        _ => {
            let (at, span) = (of.at, of.span);
            wrap(of, at, span)
        }
    }
}

/// Puts an operator into the body of the lambda that stands before it.
fn before(left: Node, wrap: impl FnOnce(Node) -> Node) -> Node {
    match left.kind {
        Kind::Lambda { params, body } if !left.closed => {
            let body = Box::new(before(*body, wrap));
            Node { kind: Kind::Lambda { params, body }, ..left }
        }
        kind => wrap(Node { kind, ..left }),
    }
}
