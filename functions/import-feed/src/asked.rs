//! A server asked for a file, and those that it leads to.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body, Error};
use url::Url;

const MAX_REDIRECTS: u32 = 10;

/// What a server is asked with.
pub struct Question {
    /// User and password, for the server of the feed's own URL only.
    pub credentials: Option<(String, String)>,
    /// The version that is known, as its server named it.
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

impl Question {
    /// Returns the file at a URL, or wherever its server leads to; a server that has no new version may say so. Every
    /// other answer is an error.
    pub fn ask(&self, agent: &Agent, url: &str) -> Result<Response<Body>, Error> {
        let first = Url::parse(url).map_err(|error| Error::BadUri(error.to_string()))?;
        let mut next = first.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.ask_one(agent, &next, is_same_server(&first, &next))?;
            let status = response.status();
            match response.headers().get(header::LOCATION) {
                Some(location) if leads_elsewhere(status) => {
                    let location = location.to_str().map_err(|error| Error::BadUri(error.to_string()))?;
                    next = next.join(location).map_err(|error| Error::BadUri(error.to_string()))?;
                }
                _ if self.is_answer(status) => return Ok(response),
                _ => return Err(Error::StatusCode(status.as_u16())),
            }
        }
        Err(Error::TooManyRedirects)
    }

    /// Asks one server. Its own answer comes back, even if it leads elsewhere (`max_redirects` of 0).
    fn ask_one(&self, agent: &Agent, url: &Url, is_first: bool) -> Result<Response<Body>, Error> {
        let mut request = agent.get(url.as_str());
        if let Some((user, password)) = self.credentials.as_ref().filter(|_| is_first) {
            let basic = STANDARD.encode(format!("{user}:{password}"));
            request = request.header(header::AUTHORIZATION, format!("Basic {basic}"));
        }
        for (name, value) in [(header::IF_NONE_MATCH, &self.etag), (header::IF_MODIFIED_SINCE, &self.last_modified)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        request.call()
    }

    /// Returns true if an answer is a whole file, or says that the known one is still right.
    fn is_answer(&self, status: StatusCode) -> bool {
        let asked = self.etag.is_some() || self.last_modified.is_some();
        status == StatusCode::OK
            || status == StatusCode::NON_AUTHORITATIVE_INFORMATION
            || (status == StatusCode::NOT_MODIFIED && asked)
    }
}

/// Returns true if a password for one URL is for another one too: of the same origin, or of the same host with TLS.
fn is_same_server(first: &Url, next: &Url) -> bool {
    let usual_ports = first.port().is_none() && next.port().is_none();
    let with_tls = first.scheme() == "http" && next.scheme() == "https";
    next.origin() == first.origin() || (with_tls && usual_ports && next.host() == first.host())
}

/// Returns true for the answers whose `Location` is where the file is (RFC 9110, "Redirection 3xx").
fn leads_elsewhere(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_for_its_own_server_only() {
        let is_for = |first: &str, next: &str| is_same_server(&Url::parse(first).unwrap(), &Url::parse(next).unwrap());

        for next in ["http://shop.example/new", "http://shop.example:80/", "https://shop.example/feed"] {
            assert!(is_for("http://shop.example/feed", next), "{next}");
        }
        for next in
            ["http://cdn.example/", "http://shop.example:8080/", "https://shop.example:8443/", "http://a.shop.example/"]
        {
            assert!(!is_for("http://shop.example/feed", next), "{next}");
        }
        assert!(!is_for("https://shop.example/feed", "http://shop.example/feed"), "not without TLS");
    }
}
