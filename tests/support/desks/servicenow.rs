//! `ServiceNow`.
