//! How a call proves who makes it, as the configuration says it.

use super::token::TokenSource;
use secrecy::SecretString;
use std::sync::Arc;

/// How a call proves who makes it.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// By its address alone, or by its client certificate.
    #[default]
    None,
    /// `Authorization: Bearer …`, always the same.
    Bearer(SecretString),
    /// `Authorization: Basic …`.
    Basic {
        /// The user's name: no `:` in it.
        user: String,
        /// The password, or a token in its place.
        password: SecretString,
    },
    /// A header of the receiver's own.
    Header {
        /// Its name.
        name: String,
        /// Its value, a secret.
        value: SecretString,
    },
    /// A bearer token that a token endpoint gives for a client's id and secret (RFC 6749, section 4.4).
    OAuth2(OAuth2),
    /// A bearer token from elsewhere: a managed identity.
    Token(Arc<dyn TokenSource>),
}

/// Client credentials.
#[derive(Clone, Debug)]
pub struct OAuth2 {
    /// Where tokens are given. Held to the same rules as the receiver's own address.
    pub token_url: SecretString,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretString,
    /// What the token is to allow, if that must be said.
    pub scope: Option<String>,
    /// Whom the token is for, if that must be said.
    pub audience: Option<String>,
}
