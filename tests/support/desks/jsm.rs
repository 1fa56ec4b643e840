//! Alerts of Jira Service Management.
