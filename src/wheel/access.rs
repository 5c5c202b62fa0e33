//! The way to servers: certificates, proxies and credentials, from values that the command line passes down.

use std::path::PathBuf;

use ureq::tls::{Certificate, PemItem, parse_pem};

use crate::redact::Secrets;
use crate::surroundings::Surroundings;
use crate::urls::{self, Login, Origin};

/// How servers are reached, and as whom.
#[derive(Debug, Clone, Default)]
pub struct Access {
    certificates: Option<PathBuf>,
    http_proxy: Option<String>,
    https_proxy: Option<String>,
    no_proxy: Option<String>,
    /// Logins of indexes by scheme, host and port, the more telling first: none of them is for another server.
    index_logins: Vec<(Origin, Login)>,
    /// Logins of the netrc file by machine, whatever the scheme and the port.
    machine_logins: Vec<(String, Login)>,
    secrets: Secrets,
}

impl Access {
    /// What the surroundings and the URLs of the indexes tell. The first of `PIP_CERT`, `REQUESTS_CA_BUNDLE`,
    /// `CURL_CA_BUNDLE` and `SSL_CERT_FILE` names the certificates; `NETRC`, else `~/.netrc`, further credentials.
    pub fn read(surroundings: &Surroundings, index_urls: &[String]) -> Self {
        let mut access = Self {
            certificates: surroundings
                .first_text(&["PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
                .map(PathBuf::from)
                .filter(|path| path.is_file()),
            http_proxy: surroundings.first_text(&["http_proxy", "ALL_PROXY", "all_proxy"]).map(str::to_owned),
            https_proxy: surroundings
                .first_text(&["PIP_PROXY", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
                .map(str::to_owned),
            no_proxy: surroundings.first_text(&["NO_PROXY", "no_proxy"]).map(str::to_owned),
            index_logins: Vec::new(),
            machine_logins: Vec::new(),
            secrets: Secrets::default(),
        };
        let variables = [
            "UV_DEFAULT_INDEX",
            "UV_INDEX",
            "UV_INDEX_URL",
            "UV_EXTRA_INDEX_URL",
            "PIP_INDEX_URL",
            "PIP_EXTRA_INDEX_URL",
        ];
        let configured = variables.iter().filter_map(|name| surroundings.text(name)).flat_map(str::split_whitespace);
        let urls: Vec<&str> = index_urls.iter().map(String::as_str).chain(configured).collect();
        for url in urls {
            // `UV_INDEX` may name an index: `name=https://...`.
            let url = url.split_once('=').map_or(url, |(name, rest)| if name.contains("://") { url } else { rest });
            if let (Some(origin), (_, Some(login))) = (urls::origin(url), urls::split_login(url)) {
                access.secrets.add_urls_of(url);
                access.index_logins.push((origin, login));
            }
        }
        let netrc = surroundings
            .text("NETRC")
            .map(PathBuf::from)
            .or_else(|| surroundings.home().map(|home| home.join(if cfg!(windows) { "_netrc" } else { ".netrc" })));
        if let Some(text) = netrc.and_then(|path| std::fs::read_to_string(path).ok()) {
            for (machine, login) in read_netrc(&text) {
                access.secrets.add(&login.password);
                access.machine_logins.push((machine, login));
            }
        }
        for proxy in [&access.http_proxy, &access.https_proxy].into_iter().flatten() {
            access.secrets.add_urls_of(proxy);
        }
        access
    }

    /// Texts that no message may hold.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// A URL without credentials, and those to use: its own, else those of an index on the same server, else those that
    /// the netrc file has for its host.
    pub(crate) fn login_for(&self, url: &str) -> (String, Option<Login>) {
        let (bare, own) = urls::split_login(url);
        let authority = urls::authority(&bare).unwrap_or_default();
        let origin = urls::origin(&bare);
        let host = origin.as_ref().map_or(authority.as_str(), |(_, host, _)| host.as_str());
        let of_index = || self.index_logins.iter().find(|(server, _)| Some(server) == origin.as_ref());
        let of_machine = |wanted: &str| self.machine_logins.iter().find(|(name, _)| name == wanted);
        let login = own.or_else(|| of_index().map(|(_, login)| login.clone())).or_else(|| {
            let found = of_machine(&authority).or_else(|| of_machine(host)).or_else(|| of_machine("default"));
            found.map(|(_, login)| login.clone())
        });
        (bare, login)
    }

    /// The certificates to trust, where some were named.
    pub(crate) fn certificates(&self) -> Result<Option<Vec<Certificate<'static>>>, (String, PathBuf)> {
        let Some(path) = &self.certificates else { return Ok(None) };
        let pem = std::fs::read(path).map_err(|error| (error.to_string(), path.clone()))?;
        let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
            .filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect();
        if certificates.is_empty() {
            return Err(("there is none in it".to_owned(), path.clone()));
        }
        Ok(Some(certificates))
    }

    /// The proxy for URLs of a scheme.
    pub(crate) fn proxy(&self, scheme: &str) -> Result<Option<ureq::Proxy>, String> {
        let Some(text) = (if scheme == "https" { &self.https_proxy } else { &self.http_proxy }) else {
            return Ok(None);
        };
        let wrong = || crate::redact::redact_url(text).into_owned();
        let (bare, login) = urls::split_login(text);
        let protocol = match urls::scheme(&bare).as_deref() {
            None | Some("http") => ureq::ProxyProtocol::Http,
            Some("https") => ureq::ProxyProtocol::Https,
            Some(_) => return Err(wrong()),
        };
        let default_port = if protocol == ureq::ProxyProtocol::Https { 443 } else { 80 };
        let authority = urls::authority(&bare).unwrap_or_else(|| bare.trim_end_matches('/').to_owned());
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
            None => (authority.as_str(), default_port),
        };
        let mut builder = ureq::Proxy::builder(protocol).host(host).port(port);
        if let Some(login) = &login {
            builder = builder.username(&login.user).password(&login.password);
        }
        for name in self.no_proxy.iter().flat_map(|list| list.split(',')).map(str::trim).filter(|name| !name.is_empty())
        {
            builder = builder.no_proxy(name);
        }
        builder.build().map(Some).map_err(|_| wrong())
    }
}

impl Login {
    /// The value of an `Authorization` header (RFC 7617).
    pub(crate) fn basic(&self) -> String {
        format!("Basic {}", base64(format!("{}:{}", self.user, self.password).as_bytes()))
    }
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_usize, |group, byte| group << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let sextet = group >> (18 - 6 * place) & 63;
            text.push(if place <= chunk.len() { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    text
}

/// The logins of a netrc file, by host; that of `default` under this name. Macros are skipped.
fn read_netrc(text: &str) -> Vec<(String, Login)> {
    let mut logins: Vec<(String, Login)> = Vec::new();
    let mut in_macro = false;
    for line in text.lines() {
        if in_macro || line.trim_start().starts_with('#') {
            in_macro = in_macro && !line.trim().is_empty();
            continue;
        }
        let mut words = line.split_whitespace();
        while let Some(word) = words.next() {
            let empty = || Login { user: String::new(), password: String::new() };
            match word {
                "machine" => logins.push((words.next().unwrap_or_default().to_ascii_lowercase(), empty())),
                "default" => logins.push(("default".to_owned(), empty())),
                "macdef" => {
                    in_macro = true;
                    break;
                }
                "login" | "password" | "account" => {
                    let value = words.next().unwrap_or_default().to_owned();
                    match (word, logins.last_mut()) {
                        ("login", Some((_, login))) => login.user = value,
                        ("password", Some((_, login))) => login.password = value,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
    }
    logins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_as_rfc_4648_says() {
        for (plain, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn sends_the_credentials_of_an_index_to_no_other_server() {
        let surroundings = Surroundings { environment: [].into(), temporary: PathBuf::new(), cache: PathBuf::new() };
        let access = Access::read(&surroundings, &["https://u:secret@a.example/simple".to_owned()]);
        let user = |url: &str| access.login_for(url).1.map(|login| login.user);
        for same in ["https://a.example/f.whl", "https://A.example:443/f.whl"] {
            assert_eq!(user(same).as_deref(), Some("u"), "{same}");
        }
        for other in ["http://a.example/f.whl", "https://a.example:8443/f.whl", "http://a.example:443/f.whl"] {
            assert_eq!(user(other), None, "{other}");
        }
    }

    #[test]
    fn finds_credentials_by_host_and_port() {
        let directory = tempfile::tempdir().unwrap();
        let netrc = directory.path().join("netrc");
        std::fs::write(
            &netrc,
            "# x\nmachine a.example\n  login n\n  password m\nmacdef x\nmachine z\n\ndefault login d password e\n",
        )
        .unwrap();
        let surroundings = Surroundings {
            environment: [("NETRC".into(), netrc.into_os_string())].into(),
            temporary: PathBuf::new(),
            cache: PathBuf::new(),
        };
        let access = Access::read(&surroundings, &["https://u:secret@b.example:8443/simple".to_owned()]);
        let user = |url: &str| access.login_for(url).1.map(|login| login.user);
        assert_eq!(user("https://b.example:8443/f.whl").as_deref(), Some("u"));
        assert_eq!(user("https://a.example/f.whl").as_deref(), Some("n"));
        assert_eq!(user("https://x:y@a.example/f.whl").as_deref(), Some("x"));
        assert_eq!(user("https://c.example/f.whl").as_deref(), Some("d"));
        assert_eq!(access.secrets().redact("secret"), "****");
    }
}
