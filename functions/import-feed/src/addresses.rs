//! Which addresses a feed may be fetched from. A name is resolved, each of its addresses is checked, and the connection
//! is made to one that was checked; at a redirect, all of it happens again. So no name can first lead to a public
//! address and then to another one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// The addresses that feeds may be fetched from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    /// Those that everybody on the internet can reach.
    Public,
    /// All, such as those of this machine: for the local stack.
    Any,
}

impl Addresses {
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "public" => Some(Self::Public),
            "any" => Some(Self::Any),
            _ => None,
        }
    }

    fn allow(self, address: IpAddr) -> bool {
        self == Self::Any || is_public(address)
    }
}

/// Resolves names as ureq does, and leaves out the addresses that may not be fetched from.
#[derive(Debug)]
pub struct Checked<R> {
    pub resolver: R,
    pub addresses: Addresses,
}

impl Checked<DefaultResolver> {
    pub fn new(addresses: Addresses) -> Self {
        Self { resolver: DefaultResolver::default(), addresses }
    }
}

impl<R: Resolver> Resolver for Checked<R> {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let resolved = self.resolver.resolve(uri, config, timeout)?;
        let mut allowed = self.empty();
        for address in resolved.iter().filter(|address| self.addresses.allow(address.ip())) {
            allowed.push(*address);
        }
        if allowed.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(allowed) }
    }
}

/// Returns true for an address that the registries of IANA call globally reachable and that stands for no other address
/// (IANA IPv4 and IPv6 Special-Purpose Address Registries, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_special = match address.octets() {
        // "This network"; addresses that a provider shares (RFC 6598); IETF assignments, the old way to 6to4 relays,
        // benchmarks; reserved, to the end.
        [0, ..] | [192, 0, 0, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [240..=255, ..] => true,
        [100, second, ..] => (64..128).contains(&second),
        _ => false,
    };
    !is_special
        && !address.is_loopback()
        && !address.is_private()
        && !address.is_link_local()
        && !address.is_multicast()
        && !address.is_documentation()
}

/// Returns true for an address that anybody may have. Only 2000::/3 is assigned as global unicast; what lies outside
/// are, besides others, addresses of this machine and network, and IPv4 addresses in another form (::ffff:0:0/96,
/// 64:ff9b::/96).
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // IETF protocol assignments, with Teredo (2001::/23).
        [0x2001, 0..=0x1ff, ..] => false,
        // Documentation.
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // 6to4: an IPv4 address in another form.
        [0x2002, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use ureq::Agent;
    use ureq::unversioned::transport::DefaultConnector;

    #[test]
    fn only_addresses_that_everybody_can_reach_are_public() {
        let public = [
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "2606:4700::1111",
            "2a00::1",
        ];
        let others = [
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.170",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "::127.0.0.1",
            "fe80::1",
            "fd00:ec2::254",
            "fc00::1",
            "fec0::1",
            "ff02::1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
        ];

        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in others {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    /// Answers each request with one text, on an address of this machine.
    fn server(address: &str, answer: String) -> SocketAddr {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let at = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        at
    }

    fn body(text: &str) -> String {
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}", text.len())
    }

    fn get(resolver: impl Resolver, url: &str) -> Result<String, ureq::Error> {
        let agent =
            Agent::with_parts(Agent::config_builder().proxy(None).build(), DefaultConnector::default(), resolver);
        agent.get(url).call()?.body_mut().read_to_string()
    }

    #[test]
    fn every_spelling_of_an_address_of_this_machine_is_refused() {
        let port = server("127.0.0.1", body("secret")).port();

        for host in [
            "127.0.0.1",
            "localhost",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "0.0.0.0",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            let answer = get(Checked::new(Addresses::Public), &format!("http://{host}:{port}/"));
            assert!(matches!(answer, Err(ureq::Error::HostNotFound)), "{host}: {answer:?}");
        }
        let url = format!("http://127.1:{port}/");
        assert_eq!(get(Checked::new(Addresses::Any), &url).unwrap(), "secret", "the server is there");
    }

    /// Leads the name `feeds.example` to a public server at first, and from then on to this machine. The public server
    /// is one of this machine, too, but its address has passed the check.
    #[derive(Debug)]
    struct Rebinding {
        public: SocketAddr,
        asked: AtomicUsize,
        checked: Checked<DefaultResolver>,
    }

    impl Resolver for Rebinding {
        fn resolve(
            &self,
            uri: &Uri,
            config: &Config,
            timeout: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, ureq::Error> {
            if uri.host() == Some("feeds.example") && self.asked.fetch_add(1, Ordering::Relaxed) == 0 {
                let mut addresses = self.empty();
                addresses.push(self.public);
                return Ok(addresses);
            }
            let uri = uri.to_string().replace("feeds.example", "127.0.0.1").parse().unwrap();
            self.checked.resolve(&uri, config, timeout)
        }
    }

    #[test]
    fn a_redirect_and_a_name_that_leads_elsewhere_the_second_time_are_checked_too() {
        let secret = server("127.0.0.1", body("secret"));
        let same_name = format!("http://feeds.example:{}/", secret.port());
        for target in [format!("http://{secret}/"), format!("http://localhost:{}/", secret.port()), same_name] {
            let redirect =
                format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let public = server("127.0.0.1", redirect);
            let answer = |addresses| {
                let checked = Checked::new(addresses);
                get(Rebinding { public, asked: AtomicUsize::new(0), checked }, "http://feeds.example/")
            };

            assert!(matches!(answer(Addresses::Public), Err(ureq::Error::HostNotFound)), "{target}");
            assert_eq!(answer(Addresses::Any).unwrap(), "secret", "{target}");
        }
    }
}
