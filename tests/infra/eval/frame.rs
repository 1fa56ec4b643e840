//! A template or a module with its parameters: what its names stand for.

use super::expression::Locals;
use super::value::{REFERENCE, fits, is_unknown, kind, unknown};
use crate::bicep::ast::{At, Block, File, Kind, Node, Output};
use crate::bicep::constraints::misfit;
use crate::sources::{Infra, beside};
use serde_json::{Map, Value, json};
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What is known of one deployment while it is evaluated.
pub(crate) struct Shared<'i> {
    pub(crate) infra: &'i Infra,
    pub(crate) faults: RefCell<Vec<String>>,
    /// What the template itself refuses, by `fail`.
    pub(crate) refusals: RefCell<Vec<String>>,
}

/// Where a template is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) subscription: String,
    pub(crate) group: String,
}

impl Place {
    pub(crate) fn id(&self) -> String {
        format!("/subscriptions/{}/resourceGroups/{}", self.subscription, self.group)
    }

    /// The resource group that an id lies in.
    pub(crate) fn of_id(id: &str) -> Option<Self> {
        let parts: Vec<&str> = id.split('/').collect();
        match parts.as_slice() {
            ["", "subscriptions", subscription, "resourceGroups", group, ..] => {
                Some(Self { subscription: (*subscription).to_owned(), group: (*group).to_owned() })
            }
            _ => None,
        }
    }
}

pub(crate) struct Frame<'i> {
    pub(crate) shared: Rc<Shared<'i>>,
    pub(crate) file: &'i File,
    pub(crate) place: Place,
    /// Resources and modules by symbol; a resource with the one that it is declared in.
    blocks: BTreeMap<&'i str, (&'i Block, Option<&'i Block>)>,
    /// What is given to the parameters.
    given: BTreeMap<String, Value>,
    /// Parameters and variables that were asked for; `None` while they are evaluated.
    known: RefCell<BTreeMap<String, Option<Value>>>,
    modules: RefCell<BTreeMap<(String, usize), Rc<Frame<'i>>>>,
    copies: RefCell<BTreeMap<String, Rc<Vec<Copy<'i>>>>>,
    outputs: OnceCell<Value>,
}

/// One copy of a resource or module: the only one, or one turn of its loop.
#[derive(Clone)]
pub(crate) struct Copy<'i> {
    pub(crate) index: usize,
    pub(crate) locals: Locals,
    pub(crate) body: &'i Node,
    pub(crate) deployed: bool,
}

impl<'i> Frame<'i> {
    pub(crate) fn new(
        shared: Rc<Shared<'i>>,
        file: &'i File,
        place: Place,
        given: BTreeMap<String, Value>,
    ) -> Self {
        let (known, modules, copies) = (RefCell::default(), RefCell::default(), RefCell::default());
        let mut blocks = BTreeMap::new();
        for module in &file.modules {
            blocks.insert(module.symbol.as_str(), (module, None));
        }
        for resource in file.all_resources() {
            blocks.entry(resource.symbol.as_str()).or_insert((resource, None));
            for child in &resource.children {
                blocks.insert(child.symbol.as_str(), (child, Some(resource)));
            }
        }
        let outputs = OnceCell::new();
        Self { shared, file, place, blocks, given, known, modules, copies, outputs }
    }

    /// Notes a fault; its value is not known.
    pub(crate) fn fault(&self, at: At, text: &str) -> Value {
        let fault = format!("{}:{}: {text}", self.file.path, at.line);
        let mut faults = self.shared.faults.borrow_mut();
        if !faults.contains(&fault) {
            faults.push(fault);
        }
        unknown("fault")
    }

    /// What a name stands for, besides those of loops and lambdas.
    pub(crate) fn name(&self, name: &str, at: At) -> Value {
        if let Some(found) = self.known.borrow().get(name) {
            return found
                .clone()
                .unwrap_or_else(|| self.fault(at, &format!("`{name}` needs itself")));
        }
        if let Some(param) = self.file.param(name) {
            let value = match (self.given.get(name), &param.default) {
                (Some(given), _) => given.clone(),
                (None, Some(default)) => self.remembered(name, default),
                (None, None) if param.kind.ends_with('?') => Value::Null,
                (None, None) => {
                    self.fault(param.at, &format!("the parameter `{name}` is not given"))
                }
            };
            if let Err(why) = misfit(param, &value) {
                self.fault(param.at, &format!("the parameter `{name}` {why}"));
            }
            self.known.borrow_mut().insert(name.to_owned(), Some(value.clone()));
            return value;
        }
        if let Some(var) = self.file.vars.iter().find(|var| var.name == name) {
            return self.remembered(name, &var.value);
        }
        if let Some(block) = self.block(name) {
            return self.reference(block, None, at);
        }
        self.fault(at, &format!("`{name}` is not declared"))
    }

    fn remembered(&self, name: &str, node: &'i Node) -> Value {
        self.known.borrow_mut().insert(name.to_owned(), None);
        let value = self.eval(node, &Locals::default());
        self.known.borrow_mut().insert(name.to_owned(), Some(value.clone()));
        value
    }

    /// A resource or module by its symbol.
    pub(crate) fn block(&self, symbol: &str) -> Option<&'i Block> {
        self.blocks.get(symbol).map(|(block, _)| *block)
    }

    /// A block as a value: what `scope`, `parent` and `dependsOn` take.
    pub(crate) fn reference(&self, block: &'i Block, index: Option<usize>, at: At) -> Value {
        let mut map = Map::new();
        map.insert(REFERENCE.to_owned(), json!(block.symbol));
        if !is_module(block) {
            map.insert("id".to_owned(), self.member(block, index, "id", at));
        }
        Value::Object(map)
    }

    /// The copies of a block: one, or one a turn of its loop.
    pub(crate) fn copies(&self, block: &'i Block) -> Rc<Vec<Copy<'i>>> {
        if let Some(known) = self.copies.borrow().get(&block.symbol) {
            return Rc::clone(known);
        }
        let copies = Rc::new(self.new_copies(block));
        self.copies.borrow_mut().insert(block.symbol.clone(), Rc::clone(&copies));
        copies
    }

    fn new_copies(&self, block: &'i Block) -> Vec<Copy<'i>> {
        let copy = |index: usize, locals: Locals, node: &'i Node| {
            let Kind::If(parts) = &node.kind else {
                return Copy { index, locals, body: node, deployed: true };
            };
            let deployed = match self.eval(&parts[0], &locals) {
                Value::Bool(deployed) => deployed,
                // What Azure decides may be.
                value if is_unknown(&value) => true,
                other => {
                    self.fault(parts[0].at, &format!("a condition is {}", kind(&other)));
                    true
                }
            };
            Copy { index, locals, body: &parts[1], deployed }
        };
        let Kind::For(each) = &block.value.kind else {
            return vec![copy(0, Locals::default(), &block.value)];
        };
        let over = self.eval(&each.over, &Locals::default());
        if !over.is_array() && self.shared.refusals.borrow().is_empty() {
            self.fault(each.over.at, &format!("a loop runs over {}", kind(&over)));
        }
        let items = over.as_array().cloned().unwrap_or_default();
        let turn = |(index, item): (usize, &Value)| {
            let mut locals = Locals::default();
            locals.insert(each.item.clone(), item.clone());
            if let Some(name) = &each.index {
                locals.insert(name.clone(), json!(index));
            }
            copy(index, locals, &each.body)
        };
        items.iter().enumerate().map(turn).collect()
    }

    /// `block.name` or `block[index].name`.
    pub(crate) fn member(
        &self,
        block: &'i Block,
        index: Option<usize>,
        name: &str,
        at: At,
    ) -> Value {
        let copies = self.copies(block);
        let looped = matches!(block.value.kind, Kind::For(_));
        if looped && index.is_none() {
            if name == "id" {
                return json!(copies.iter().map(|copy| self.id(block, copy)).collect::<Vec<_>>());
            }
            return self
                .fault(at, &format!("`{}` is a loop: say which with [index]", block.symbol));
        }
        let Some(copy) = copies.get(index.unwrap_or(0)).cloned() else {
            return self
                .fault(at, &format!("`{}` has no item {}", block.symbol, index.unwrap_or(0)));
        };
        let module = is_module(block);
        match name {
            "id" if !module => json!(self.id(block, &copy)),
            "name" => self.property(&copy, "name").unwrap_or_else(|| unknown(&block.symbol)),
            "type" => json!(block.target),
            "apiVersion" => json!(block.version),
            _ if !copy.deployed && !block.existing => {
                let text = format!("reads `{}.{name}`, and it is not deployed then", block.symbol);
                self.fault(at, &text)
            }
            "outputs" if module => self.module(block, &copy).map_or_else(
                || unknown(&format!("{}.outputs", block.symbol)),
                |module| module.outputs(),
            ),
            "location" | "tags" | "kind" | "sku" => self
                .property(&copy, name)
                .unwrap_or_else(|| unknown(&format!("{}.{name}", block.symbol))),
            _ => unknown(&format!("{}.{name}", block.symbol)),
        }
    }

    /// All outputs. Those that are not what they are declared to be are faults.
    pub(crate) fn outputs(&self) -> Value {
        let output = |output: &'i Output| {
            let value = self.eval(&output.value, &Locals::default());
            if !fits(&output.kind, &value) {
                let (name, declared) = (&output.name, &output.kind);
                let text = format!("the output `{name}` is {}, not {declared}", kind(&value));
                self.fault(output.at, &text);
            }
            (output.name.clone(), value)
        };
        let all = || Value::Object(self.file.outputs.iter().map(output).collect());
        self.outputs.get_or_init(all).clone()
    }

    /// A property of a block's object.
    pub(crate) fn property(&self, copy: &Copy<'i>, name: &str) -> Option<Value> {
        copy.body.get(name).map(|entry| self.eval(&entry.value, &copy.locals))
    }

    /// The module that a copy stands for, with its parameters.
    pub(crate) fn module(&self, block: &'i Block, copy: &Copy<'i>) -> Option<Rc<Frame<'i>>> {
        let key = (block.symbol.clone(), copy.index);
        if let Some(known) = self.modules.borrow().get(&key) {
            return Some(Rc::clone(known));
        }
        let path = beside(&self.file.path, &block.target);
        let file = self.shared.infra.files.get(&path)?;
        let given = match self.property(copy, "params") {
            Some(Value::Object(params)) => params.into_iter().collect(),
            _ => BTreeMap::new(),
        };
        let place = match self.property(copy, "scope") {
            Some(scope) => self.place_of(&scope, block.at),
            None => self.place.clone(),
        };
        let frame = Rc::new(Frame::new(Rc::clone(&self.shared), file, place, given));
        for param in &file.params {
            frame.name(&param.name, param.at);
        }
        self.modules.borrow_mut().insert(key, Rc::clone(&frame));
        Some(frame)
    }

    fn place_of(&self, scope: &Value, at: At) -> Place {
        let id = scope.get("id").and_then(Value::as_str).unwrap_or_default();
        Place::of_id(id).unwrap_or_else(|| {
            self.fault(at, "the scope is no resource group");
            self.place.clone()
        })
    }

    /// The whole name of a copy: those of its parents and its own, by `/`.
    pub(crate) fn full_name(&self, block: &'i Block, copy: &Copy<'i>) -> (String, String) {
        let own = self.property(copy, "name").unwrap_or_default();
        let own = super::value::text(&own);
        let holder = self.holder(block);
        let parent = copy.body.get("parent").map(|entry| &entry.value);
        let of_parent = match (holder, parent) {
            (Some(holder), _) => self.copies(holder).first().map(|copy| (holder, copy.clone())),
            (None, Some(node)) => self.named(node, &copy.locals),
            (None, None) => None,
        };
        let Some((parent, of_parent)) = of_parent else { return (block.target.clone(), own) };
        let (kind, name) = self.full_name(parent, &of_parent);
        let kind = match holder {
            Some(_) => format!("{kind}/{}", block.target),
            None => block.target.clone(),
        };
        (kind, format!("{name}/{own}"))
    }

    /// The resource in whose object this one is declared.
    fn holder(&self, block: &Block) -> Option<&'i Block> {
        self.blocks.get(block.symbol.as_str()).and_then(|(_, holder)| *holder)
    }

    /// The block that an expression names, and which copy.
    pub(crate) fn named(&self, node: &'i Node, locals: &Locals) -> Option<(&'i Block, Copy<'i>)> {
        let (symbol, index) = match &node.kind {
            Kind::Name(symbol) => (symbol, 0),
            Kind::Index { of, index, .. } => {
                let Kind::Name(symbol) = &of.kind else { return None };
                let index = self.eval(index, locals).as_u64()?;
                (symbol, usize::try_from(index).ok()?)
            }
            _ => return None,
        };
        let block = self.block(symbol)?;
        Some((block, self.copies(block).get(index)?.clone()))
    }

    /// The resource id of a copy.
    pub(crate) fn id(&self, block: &'i Block, copy: &Copy<'i>) -> String {
        let (kind, name) = self.full_name(block, copy);
        let scope = copy.body.get("scope").map(|entry| self.eval(&entry.value, &copy.locals));
        let scope = scope.as_ref().and_then(|scope| scope.get("id")).and_then(Value::as_str);
        resource_id(&scope.map_or_else(|| self.place.id(), str::to_owned), &kind, &name)
    }
}

/// An id from a scope, a type and names.
pub(crate) fn resource_id(scope: &str, kind: &str, name: &str) -> String {
    let mut parts = kind.split('/');
    let provider = parts.next().unwrap_or_default();
    let pairs: Vec<String> =
        parts.zip(name.split('/')).map(|(kind, name)| format!("{kind}/{name}")).collect();
    format!("{scope}/providers/{provider}/{}", pairs.join("/"))
}

fn is_module(block: &Block) -> bool {
    block.version.is_none()
}
