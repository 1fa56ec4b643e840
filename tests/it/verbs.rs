//! Verbs that look things up or try things out, through the built binary.
