//! hsmwatch watches the audit log of an Azure Cloud HSM and tells people what happened to their keys and users: signed,
//! once, and without a miss.
//!
//! Two things happen: *evaluate* a watch and *deliver* one alert to one receiver.

pub mod azure;
pub mod backtest;
pub mod cli;
pub mod config;
pub mod engine;
pub mod hosts;
pub mod http;
pub mod local;
pub mod notify;
mod planted;
pub mod ports;
pub mod ruletest;
pub mod watch;
pub mod wire;
