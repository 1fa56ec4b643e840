//! Calls of http functions from outside, and requests that the host itself would not make.

use super::answer::{Answer, HttpAnswer};
use super::encode::HttpRequest;
use super::invoke::{Outcome, What};
use super::package::Trigger;
use super::{FUNCTION_KEY, FunctionsHost, PATIENCE};

impl FunctionsHost {
    /// Calls an http function with `GET` and its key.
    pub(crate) fn http(&self, name: &str, accept: &str) -> HttpAnswer {
        self.http_with(name, &HttpRequest::get(accept))
    }

    /// Calls an http function with its key.
    pub(crate) fn http_with(&self, name: &str, request: &HttpRequest) -> HttpAnswer {
        let function = self.shared.package.functions.get(name).expect("a function of this name");
        let Trigger::Http { methods, route, .. } = &function.trigger else {
            panic!("`{name}` is no http function");
        };
        if methods.as_ref().is_some_and(|m| !m.iter().any(|m| m == request.method)) {
            return HttpAnswer { status: 404, ..HttpAnswer::default() };
        }
        let route = if route.is_empty() { name } else { route };
        let prefix = &self.shared.package.route_prefix;
        let mut query = vec![format!("code={FUNCTION_KEY}")];
        query.extend(request.query.iter().map(|(name, value)| format!("{name}={value}")));
        let path = format!("/{prefix}/{route}?{}", query.join("&"));
        if self.shared.package.forwarding && function.outputs.len() == 1 {
            return self.block(self.forward(request, &path));
        }
        let url = format!("https://hsmwatch.azurewebsites.net{path}");
        let mut request = request.clone();
        request.query.insert("code".to_owned(), FUNCTION_KEY.to_owned());
        let invocation = self.begin(name, What::Http { url, request }).wait();
        match invocation.outcome {
            Outcome::Succeeded => invocation.http.unwrap_or_default(),
            _ => HttpAnswer { status: 500, ..HttpAnswer::default() },
        }
    }

    /// The request itself goes to the handler, and its answer to the caller.
    async fn forward(&self, request: &HttpRequest, path: &str) -> HttpAnswer {
        let client = self.shared.lock().client.clone();
        let method = request.method.parse().unwrap();
        let mut forwarded = client
            .request(method, format!("http://127.0.0.1:{}{path}", self.shared.port))
            .header("x-azure-functions-invocationid", self.shared.guid());
        for (name, value) in &request.headers {
            forwarded = forwarded.header(name, value);
        }
        if let Some(body) = &request.body {
            forwarded = forwarded.body(body.clone());
        }
        let answer = forwarded.send().await.unwrap();
        let headers = answer.headers().iter();
        let headers =
            headers.map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect();
        let status = answer.status().as_u16();
        HttpAnswer { status, headers, body: answer.text().await.unwrap() }
    }

    /// `GET /`, as the platform asks after the handler's health at any time.
    pub(crate) fn ping(&self) -> Answer {
        self.request("GET", "/", None)
    }

    /// A request that the host itself would not make.
    pub(crate) fn request(&self, method: &str, path: &str, body: Option<&[u8]>) -> Answer {
        let client = self.shared.lock().client.clone();
        let url = format!("http://127.0.0.1:{}{path}", self.shared.port);
        let parent = format!("00-{}-{}-00", self.shared.hex(32), self.shared.hex(16));
        let mut request = client
            .request(method.parse().unwrap(), url)
            .header("x-azure-functions-invocationid", self.shared.guid())
            .header("traceparent", parent);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_vec());
        }
        self.block(async {
            let answer = request.timeout(PATIENCE).send().await.unwrap();
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            Answer { status, headers, body: answer.bytes().await.unwrap().to_vec() }
        })
    }
}
