//! hsmwatch watches the audit log of an Azure Cloud HSM and tells people what happened to their keys and users: signed,
//! once, and without a miss.
//!
//! Two things happen: *evaluate* a watch and *deliver* one alert to one receiver.

pub mod local;
pub mod notify;
pub mod ports;
pub mod watch;
