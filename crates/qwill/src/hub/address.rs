//! Addresses of servers: which are of one origin, and where a redirect leads.

use ureq::http::Uri;

/// Scheme, host and port: what a secret may be said to.
fn origin(uri: &Uri) -> Option<(String, String, u16)> {
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let usual = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    Some((scheme, uri.host()?.to_ascii_lowercase(), uri.port_u16().unwrap_or(usual)))
}

/// Whether two addresses are of one server: another port of its host is another one.
pub(crate) fn same_origin(one: &str, other: &str) -> bool {
    let origin_of = |text: &str| text.parse().ok().as_ref().and_then(origin);
    origin_of(one).is_some_and(|first| origin_of(other) == Some(first))
}

/// The address that `location` means in an answer from `base`.
pub(crate) fn join(base: &str, location: &str) -> Option<String> {
    let uri: Uri = base.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let joined = if location.contains("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        let folder = uri.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    let joined = joined.split('#').next()?.to_owned();
    same_origin(&joined, &joined).then_some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_schemes_are_parts_of_an_origin() {
        assert!(same_origin("https://h.test/a", "https://H.test:443/b?c"));
        for other in [
            "http://h.test/",
            "https://h.test:8443/",
            "https://g.h.test/",
            "https://h.test.evil/",
            "h.test",
            "",
        ] {
            assert!(!same_origin("https://h.test/a", other), "{other}");
        }
        assert!(!same_origin("file:///a", "file:///a"));
    }

    #[test]
    fn redirects_lead_on() {
        let base = "http://h.test:80/a/b?c";
        for (location, address) in [
            ("https://x.test/y", Some("https://x.test/y")),
            ("//x.test/y", Some("http://x.test/y")),
            ("/y#z", Some("http://h.test:80/y")),
            ("y?z", Some("http://h.test:80/a/y?z")),
            ("ftp://x.test/y", None),
            ("https://", None),
        ] {
            assert_eq!(join(base, location).as_deref(), address, "{location}");
        }
    }
}
