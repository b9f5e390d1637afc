//! URLs of callbacks, against the URL parser that browsers' rules are written for: what is accepted is one address in
//! both readings, so that nobody can register one host and have another one called.

use line_provider::subscription::CallbackUrl;
use url::{Host, Url};

pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let Ok(accepted) = text.parse::<CallbackUrl>() else {
        return;
    };
    assert!(text.len() <= CallbackUrl::MAX_CHARACTERS);
    assert_eq!(accepted.as_str(), text);
    assert_eq!(accepted.to_string().parse(), Ok(accepted.clone()));
    let uri = accepted.uri();
    let host = uri.host().unwrap_or_default();
    assert!(
        !host.is_empty() && matches!(uri.scheme_str(), Some("http" | "https")),
        "{text:?}"
    );
    assert!(!text.contains(['#', ' ', '\r', '\n', '\t']), "{text:?}");
    assert!(
        uri.authority()
            .is_some_and(|authority| !authority.as_str().contains('@')),
        "{text:?}"
    );
    check_split(text, uri.authority().map(|authority| authority.as_str()));
    if !is_rewritten(host) {
        check_against_browsers(text, uri.scheme_str(), host, uri.port_u16());
    }
}

/// By eye: the authority is what stands between `://` and the first slash or question mark.
fn check_split(text: &str, authority: Option<&str>) {
    let (_, rest) = text.split_once("://").unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    assert_eq!(rest.get(..end), authority, "{text:?}");
}

/// Whether browsers read a host otherwise than letter by letter: escapes, names of other scripts, characters that no
/// name has, and numbers, which are addresses in a spelling of their own (`http://1/` is 0.0.0.1 to resolvers, too).
fn is_rewritten(host: &str) -> bool {
    let is_address = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
    let is_plain = host
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_number = last.starts_with(|c: char| c.is_ascii_digit());
    let other_script = host.to_ascii_lowercase().contains("xn--");
    !is_address && (!is_plain || is_number || other_script)
}

fn check_against_browsers(text: &str, scheme: Option<&str>, host: &str, port: Option<u16>) {
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => panic!("{text:?} is no URL: {error}"),
    };
    assert_eq!(Some(url.scheme()), scheme, "{text:?}");
    assert!(
        url.username().is_empty() && url.password().is_none() && url.fragment().is_none(),
        "{text:?}"
    );
    let default = if url.scheme() == "https" { 443 } else { 80 };
    assert_eq!(url.port_or_known_default(), port.or(Some(default)), "{text:?}");
    let theirs = url.host_str().unwrap_or_default();
    let is_same = match url.host() {
        Some(Host::Domain(domain)) => domain == host.to_ascii_lowercase(),
        Some(Host::Ipv4(address)) => host.parse() == Ok(address),
        Some(Host::Ipv6(address)) => host.trim_matches(['[', ']']).parse() == Ok(address),
        None => false,
    };
    assert!(is_same, "{text:?} goes to {host:?} or to {theirs:?}");
}
