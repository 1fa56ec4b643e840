//! An HTTP server on a free port of this machine, that can also hang up without a word.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use futures_util::StreamExt as _;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A running server. Works in plain and in async tests: it has a runtime of its own.
pub(crate) struct Server {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Server {
    pub(crate) fn start(app: Router) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, runtime: Some(Self::serve(listener, app)) }
    }

    /// Lets go of the port: connections are refused.
    pub(crate) fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(std::time::Duration::from_secs(5));
        }
    }

    /// Takes the same port again.
    pub(crate) fn restart(&mut self, app: Router) {
        let listener = std::net::TcpListener::bind(self.address).unwrap();
        self.runtime = Some(Self::serve(listener, app));
    }

    // The listener is bound by the caller, so that the port takes connections from the moment its number is known.
    fn serve(listener: std::net::TcpListener, app: Router) -> Runtime {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        listener.set_nonblocking(true).unwrap();
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            let app = app.into_make_service_with_connect_info::<Line>();
            axum::serve(listener, app).await.unwrap();
        });
        runtime
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Also allowed inside an async test, where waiting is not.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A body that breaks off after `text`: the connection closes though more was promised.
pub(crate) fn broken_body(text: String) -> Body {
    let first = futures_util::stream::once(async { Ok(Bytes::from(text)) });
    let rest = futures_util::stream::once(async {
        // Lets what was written so far leave first.
        tokio::task::yield_now().await;
        Err(std::io::Error::other("broken off"))
    });
    Body::from_stream(first.chain(rest))
}

/// The connection a request came in on: take it as `ConnectInfo<Line>`.
#[derive(Clone)]
pub(crate) struct Line(Arc<std::net::TcpStream>);

impl Connected<IncomingStream<'_, TcpListener>> for Line {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self(Arc::new(stream.io().as_fd().try_clone_to_owned().unwrap().into()))
    }
}

impl Line {
    /// Hangs up: what was not sent yet never will be.
    pub(crate) fn cut(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}
