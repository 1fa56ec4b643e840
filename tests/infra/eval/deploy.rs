//! All resources that a template would deploy.

use super::frame::{Copy, Frame, Place, Shared};
use super::value::unknown;
use crate::bicep::ast::{At, Block, File};
use crate::sources::Infra;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A resource as it would be sent.
#[derive(Clone, Debug)]
pub(crate) struct Deployed {
    /// The file that declares it.
    pub(crate) path: String,
    pub(crate) symbol: String,
    pub(crate) at: At,
    /// Its whole type.
    pub(crate) kind: String,
    /// Its whole name: those of its parents and its own, by `/`.
    pub(crate) name: String,
    pub(crate) id: String,
    /// Its object.
    pub(crate) body: Value,
    pub(crate) existing: bool,
    /// The resource or module of the template itself that it comes from.
    pub(crate) within: String,
}

/// What a template comes to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deployment {
    pub(crate) resources: Vec<Deployed>,
    /// What the template's own resources and modules are given, by symbol.
    pub(crate) given: Vec<(String, Value)>,
    pub(crate) outputs: Map<String, Value>,
    /// What cannot be evaluated, with file and line.
    pub(crate) faults: Vec<String>,
    /// What the template itself refuses: it deploys nothing then.
    pub(crate) refusals: Vec<String>,
}

impl Deployment {
    /// The resources of a type that this template makes.
    pub(crate) fn of_kind<'d>(&'d self, kind: &'d str) -> impl Iterator<Item = &'d Deployed> {
        let made = self.resources.iter().filter(|resource| !resource.existing);
        made.filter(move |resource| resource.kind.eq_ignore_ascii_case(kind))
    }
}

/// The resource group that everything is deployed to, unless a scope says otherwise.
const GROUP: (&str, &str) = ("00000000-1111-4222-8333-444444444444", "rg-hsmwatch");

/// Deploys a template with these parameters.
pub(crate) fn deploy(infra: &Infra, root: &File, given: &BTreeMap<String, Value>) -> Deployment {
    let shared =
        Rc::new(Shared { infra, faults: RefCell::default(), refusals: RefCell::default() });
    let place = Place { subscription: GROUP.0.to_owned(), group: GROUP.1.to_owned() };
    let Some(root) = infra.files.get(&root.path) else { return Deployment::default() };
    let frame = Rc::new(Frame::new(Rc::clone(&shared), root, place, given.clone()));
    let mut deployment = Deployment::default();
    resources(&frame, "", &mut deployment.resources);
    deployment.given = given_to(&frame);
    if let Value::Object(outputs) = frame.outputs() {
        deployment.outputs = outputs;
    }
    deployment.faults = shared.faults.take();
    deployment.refusals = shared.refusals.take();
    deployment
}

/// The objects of the template's own resources, and the parameters of its modules.
fn given_to(frame: &Frame<'_>) -> Vec<(String, Value)> {
    let mut given = Vec::new();
    for block in frame.file.all_resources().into_iter().chain(&frame.file.modules) {
        let key = if block.version.is_some() { "properties" } else { "params" };
        for copy in frame.copies(block).iter().filter(|copy| copy.deployed && !block.existing) {
            given.extend(frame.property(copy, key).map(|value| (block.symbol.clone(), value)));
        }
    }
    given
}

fn resources(frame: &Rc<Frame<'_>>, within: &str, all: &mut Vec<Deployed>) {
    // What is declared and never used is evaluated all the same.
    for param in &frame.file.params {
        frame.name(&param.name, param.at);
    }
    for var in &frame.file.vars {
        frame.name(&var.name, var.at);
    }
    for block in frame.file.all_resources() {
        for copy in frame.copies(block).iter() {
            if copy.deployed {
                let within = if within.is_empty() { &block.symbol } else { within };
                all.push(resource(frame, within, block, copy));
            }
        }
    }
    for block in &frame.file.modules {
        for copy in frame.copies(block).iter().filter(|copy| copy.deployed) {
            for name in ["name", "dependsOn"] {
                frame.property(copy, name);
            }
            if let Some(module) = frame.module(block, copy) {
                let within = if within.is_empty() { &block.symbol } else { within };
                resources(&module, within, all);
                module.outputs();
            }
        }
    }
}

fn resource<'i>(frame: &Frame<'i>, within: &str, block: &'i Block, copy: &Copy<'i>) -> Deployed {
    let (kind, name) = frame.full_name(block, copy);
    let body = frame.eval(copy.body, &copy.locals);
    let id = frame.id(block, copy);
    let body = if body.is_object() { body } else { unknown(&block.symbol) };
    Deployed {
        path: frame.file.path.clone(),
        symbol: block.symbol.clone(),
        at: block.at,
        kind,
        name,
        id,
        body,
        existing: block.existing,
        within: within.to_owned(),
    }
}
