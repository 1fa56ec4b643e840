//! The clients that calls are made with. They are shared by those who may go to the same addresses, trust the same
//! certificates and show the same one: by nobody else.

use super::guard::Policy;
use super::tls::Tls;
use super::{CONNECT_TIMEOUT, TIMEOUT};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder};

/// What makes one client differ from another.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) policy: Policy,
    pub(super) tls: Tls,
}

impl Line {
    pub(super) fn builder(&self) -> ClientBuilder {
        let builder = Client::builder()
            .user_agent(concat!("hsmwatch/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            // A proxy would look names up for itself, past the guard.
            .no_proxy()
            .no_gzip()
            // A kept connection that the receiver has closed meanwhile would make a POST's fate unknown. Alerts are rare.
            .pool_max_idle_per_host(0)
            .dns_resolver(Guard(self.policy.clone()));
        self.tls.apply(builder)
    }
}

/// Clients by what makes them differ.
#[derive(Default)]
pub(super) struct Clients(Vec<(Line, Client)>);

impl Clients {
    /// The client for a line. Each loads certificates, so that there are no more of them than must be.
    pub(super) fn get(&mut self, line: &Line) -> Result<Client, reqwest::Error> {
        if let Some((_, client)) = self.0.iter().find(|(known, _)| known == line) {
            return Ok(client.clone());
        }
        let client = line.builder().build()?;
        self.0.push((line.clone(), client.clone()));
        Ok(client)
    }
}

/// Looks names up and lets only allowed addresses through, so that the connection goes to an address that was checked.
struct Guard(Policy);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let mut refused = None;
            let mut allowed = Vec::new();
            for address in found {
                match policy.check(address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(why) => refused = Some(why),
                }
            }
            match refused {
                Some(why) if allowed.is_empty() => Err(why.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}
