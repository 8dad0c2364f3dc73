//! A list of ports as people write it.

use std::collections::BTreeSet;

use gabier_tool::{Error, Result};

/// The most ports of one scan.
pub(super) const MOST: usize = 1024;

/// Reads ports and ranges such as `22,80,8000-8010`; more than [`MOST`] are refused, never cut.
pub(super) fn parse(text: &str) -> Result<Vec<u16>> {
    let mut ports = BTreeSet::new();
    for part in text.split(',').map(str::trim) {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (port(first)?, port(last)?),
            None => (port(part)?, port(part)?),
        };
        if first > last {
            return Err(Error::invalid("ports", format!("the range {part} ends before it begins")));
        }
        if usize::from(last - first) >= MOST {
            return Err(too_many());
        }
        ports.extend(first..=last);
        if ports.len() > MOST {
            return Err(too_many());
        }
    }
    Ok(ports.into_iter().collect())
}

fn port(text: &str) -> Result<u16> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0).ok_or_else(|| {
        Error::invalid(
            "ports",
            format!("{text:?} is no port: ports go from 1 to 65535, such as 22,80,8000-8010"),
        )
    })
}

fn too_many() -> Error {
    Error::invalid("ports", format!("names more than {MOST} ports; scan them in several calls"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[u16]) {
        assert_eq!(parse(text).unwrap(), expected, "{text}");
    }

    #[test]
    fn lists_and_ranges_are_sorted_and_counted_once() {
        check("22", &[22]);
        check("443, 22 ,80-82", &[22, 80, 81, 82, 443]);
        check("1-3,2-4", &[1, 2, 3, 4]);
        check("65535", &[65535]);
    }

    #[test]
    fn what_is_no_port_is_refused() {
        for text in ["", ",", "0", "65536", "22,", "a", "-22", "22-", "9-8", "+22", "22 80", "1-2-3", "２２"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn more_ports_than_the_limit_are_refused_and_never_cut() {
        assert_eq!(parse("1-1024").unwrap().len(), MOST);
        for text in ["1-1025", "1-65535", "1-1024,2000"] {
            let message = parse(text).unwrap_err().message().to_owned();
            assert!(message.contains("more than 1024 ports"), "{message}");
        }
        assert_eq!(parse("1-1024,1-1024,5").unwrap().len(), MOST);
    }

    proptest! {
        #[test]
        fn what_was_written_is_what_is_scanned(ports in proptest::collection::btree_set(1_u16.., 1..200)) {
            let text: Vec<_> = ports.iter().rev().map(u16::to_string).collect();
            prop_assert_eq!(parse(&text.join(",")).unwrap(), ports.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn a_range_is_every_port_between_its_ends(first in 1_u16..60_000, length in 0_u16..1024) {
            let ports = parse(&format!("{first}-{}", first + length)).unwrap();
            prop_assert_eq!(ports, (first..=first + length).collect::<Vec<_>>());
        }

        #[test]
        fn no_text_panics_or_gives_too_many(text in r"[0-9, x-]{0,40}") {
            if let Ok(ports) = parse(&text) {
                prop_assert!(!ports.is_empty() && ports.len() <= MOST && !ports.contains(&0));
            }
        }
    }
}
