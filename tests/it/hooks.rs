//! What `azd` and the release run: the scripts as they are, in a checkout of their own, with tools that are named one by one; and
//! whether azure.yaml, the workflows and deploy/ agree with each other and with the program.

mod agreement;
mod deploy;
mod package;
mod provenance;
mod sandbox;
mod steps;
