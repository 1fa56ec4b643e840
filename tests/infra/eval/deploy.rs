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
    pub(crate) id: String,
    /// Its object.
    pub(crate) body: Value,
    pub(crate) existing: bool,
}

/// What a template comes to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deployment {
    pub(crate) resources: Vec<Deployed>,
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
    resources(&frame, &mut deployment.resources);
    if let Value::Object(outputs) = frame.outputs() {
        deployment.outputs = outputs;
    }
    deployment.faults = shared.faults.take();
    deployment.refusals = shared.refusals.take();
    deployment
}

fn resources(frame: &Rc<Frame<'_>>, all: &mut Vec<Deployed>) {
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
                all.push(resource(frame, block, copy));
            }
        }
    }
    for block in &frame.file.modules {
        for copy in frame.copies(block).iter().filter(|copy| copy.deployed) {
            for name in ["name", "dependsOn"] {
                frame.property(copy, name);
            }
            if let Some(module) = frame.module(block, copy) {
                resources(&module, all);
                module.outputs();
            }
        }
    }
}

fn resource<'i>(frame: &Frame<'i>, block: &'i Block, copy: &Copy<'i>) -> Deployed {
    let (kind, _) = frame.full_name(block, copy);
    let body = frame.eval(copy.body, &copy.locals);
    let id = frame.id(block, copy);
    let body = if body.is_object() { body } else { unknown(&block.symbol) };
    Deployed {
        path: frame.file.path.clone(),
        symbol: block.symbol.clone(),
        at: block.at,
        kind,
        id,
        body,
        existing: block.existing,
    }
}
