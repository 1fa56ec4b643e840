//! Goes as far as a receiver's door and turns round: name, address guard, connection and TLS, and not a byte of HTTP. It is
//! the same client that alerts are sent with, save that its connections end as soon as they are made.

use super::answer::{Failure, find};
use super::client::Line;
use super::{HttpTransport, Receiver, cause, forbidden};
use crate::ports::TransportError;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

/// The connection was made, which is all that was wanted.
#[derive(Debug)]
struct Reached;

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("reached")
    }
}

impl Error for Reached {}

/// Hangs up on every connection that is made.
#[derive(Clone, Debug)]
struct HangUp;

impl<S> Layer<S> for HangUp {
    type Service = HangingUp<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HangingUp(inner)
    }
}

#[derive(Clone, Debug)]
struct HangingUp<S>(S);

type BoxError = Box<dyn Error + Send + Sync>;

impl<S, R> Service<R> for HangingUp<S>
where
    S: Service<R, Error = BoxError>,
    S::Future: Send + 'static,
    S::Response: 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let connecting = self.0.call(request);
        Box::pin(async move {
            drop(connecting.await?);
            Err(Reached.into())
        })
    }
}

impl HttpTransport {
    /// Whether a connection to a receiver can be made, TLS included. Nothing is asked of it, and nothing sent.
    pub async fn reach(&self, receiver: &str) -> Result<(), TransportError> {
        let Receiver { address, line, .. } = self.receiver(receiver)?;
        if let Some(why) = address.refused() {
            return Err(forbidden(receiver, why));
        }
        let client = probing(line).map_err(|e| TransportError::Connect(cause(e)))?;
        match client.head(address.url.clone()).send().await {
            Err(error) if find::<Reached>(&error).is_some() => Ok(()),
            Err(error) => Err(match Failure::of(error, &line.tls) {
                Failure::Refused(why) => forbidden(receiver, why),
                Failure::Certificate(why) => TransportError::Unauthorized(why),
                Failure::Unsent(why) | Failure::Unknown(why) => TransportError::Connect(why),
            }),
            Ok(_) => Err(TransportError::Ambiguous("it was asked, and should not".to_owned())),
        }
    }
}

fn probing(line: &Line) -> Result<reqwest::Client, reqwest::Error> {
    line.builder().connector_layer(HangUp).build()
}

#[cfg(test)]
mod tests {
    use super::super::Endpoint;
    use super::super::guard::Policy;
    use super::super::tls::Tls;
    use super::*;
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    fn transport(url: &str) -> HttpTransport {
        let endpoint = Endpoint { url: url.to_owned().into(), ..Endpoint::default() };
        HttpTransport::new([("itsm".to_owned(), endpoint)].into()).unwrap()
    }

    #[tokio::test]
    async fn a_receiver_is_reached_and_hears_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?sig=s3cret", listener.local_addr().unwrap());
        let transport = transport(&url);
        let (reached, heard) = tokio::join!(transport.reach("itsm"), async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.unwrap();
            bytes
        });
        assert_eq!((reached, heard), (Ok(()), Vec::new()));
    }

    #[tokio::test]
    async fn who_is_not_there_or_not_allowed_is_not_reached() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let gone = transport(&format!("http://{address}/s3cret")).reach("itsm").await;
        let Err(TransportError::Connect(why)) = gone else { panic!("{gone:?}") };
        assert!(why.contains("refused") && !why.contains("s3cret"), "{why}");
        let private = transport("https://10.0.0.1/s3cret").reach("itsm").await;
        assert!(matches!(private, Err(TransportError::Forbidden(_))), "{private:?}");
    }

    #[tokio::test]
    async fn a_door_without_tls_is_no_receiver() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // Not by its guard: the handshake itself is looked at.
        let policy = Policy { loopback: true, ..Policy::default() };
        let client = probing(&Line { policy, tls: Tls::default() }).unwrap();
        let url = format!("https://localhost:{port}/");
        let (sent, ()) = tokio::join!(client.head(url).send(), async {
            drop(listener.accept().await.unwrap());
        });
        let error = sent.unwrap_err();
        assert!(error.is_connect() && find::<Reached>(&error).is_none(), "{error:?}");
    }
}
