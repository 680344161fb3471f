//! What the settings may say, and what is made up.

use super::*;

/// A certificate that signs itself, P-256: all that reading the list looks at.
const AUTHORITY: &str = include_str!("authority.pem");
const MODEL: &str = "2fc0579f-8113-47ea-b116-bb5a8db9202a";

fn list(text: &str) -> Result<AllowList, String> {
    text.parse::<AllowList>().map_err(|error| error.to_string())
}

fn party(id: &str, origins: &[&str]) -> Result<(), NotARelyingParty> {
    let origins: Vec<_> = origins.iter().map(|origin| (*origin).to_owned()).collect();
    RelyingParty::new(id, &origins, None).map(drop)
}

#[test]
fn a_list_names_certificates_and_their_models() {
    let text =
        format!("# ours\n\n{AUTHORITY}\naaguid {MODEL} a stick\naaguid  {}\n", "1".repeat(32));
    let read = list(&text).unwrap();
    assert!(read.contains(&MODEL.parse().unwrap()));
    assert!(!read.contains(&uuid::Uuid::nil()));
    assert!(
        RelyingParty::new("localhost", &["http://localhost".to_owned()], Some(read))
            .is_ok_and(|party| party.attests())
    );
}

#[test]
fn a_list_that_would_believe_too_much_is_refused() {
    let model = format!("aaguid {MODEL}\n");
    for (text, what) in [
        (String::new(), "line 1: no whole certificate with an aaguid"),
        (AUTHORITY.to_owned(), "a certificate without an aaguid after it"),
        (format!("{AUTHORITY}{AUTHORITY}{model}"), "a certificate without an aaguid after it"),
        (format!("{model}{AUTHORITY}"), "line 1: an aaguid before the certificate"),
        (format!("{AUTHORITY}aaguid {}\n", uuid::Uuid::nil()), "the aaguid of zeros"),
        (format!("{AUTHORITY}aaguid yes\n"), "not an aaguid"),
        (format!("{AUTHORITY}{MODEL}\n"), "neither a certificate nor an aaguid"),
        (AUTHORITY.replacen("MI", "AA", 1) + &model, "the certificate above it cannot be read"),
        (AUTHORITY.lines().take(3).collect::<Vec<_>>().join("\n"), "no whole certificate"),
    ] {
        let error = list(&text).err().unwrap_or_default();
        assert!(error.contains(what), "{text}: {error}");
    }
}

#[test]
fn a_place_is_at_its_domain_or_below_it() {
    assert_eq!(party("example.com", &["https://example.com"]), Ok(()));
    let below = ["https://example.com:8443", "https://a.b.example.com"];
    assert_eq!(party("example.com", &below), Ok(()));
    assert_eq!(party("localhost", &["http://localhost:8181"]), Ok(()));
    for wrong in [
        "https://badexample.com",
        "https://example.com.evil.net",
        "http://example.com",
        "https://192.0.2.7",
        "https://example.com/path",
        "https://example.org",
        "nonsense",
    ] {
        for origins in [vec![wrong], vec!["https://example.com", wrong]] {
            let refused = party("example.com", &origins);
            assert!(matches!(refused, Err(NotARelyingParty::Origin { .. })), "{wrong}");
        }
    }
    for wrong in ["", "com", "Example.com", "192.0.2.7", "example..com", "a.b/c", "[::1]"] {
        let refused = party(wrong, &["https://example.com"]);
        assert!(matches!(refused, Err(NotARelyingParty::Id(_))), "{wrong}");
    }
}

/// Goal: what is made up can be told from people's keys by its maker, and by nobody else.
#[test]
fn what_is_made_up_is_known_to_its_maker() {
    let ids: Vec<_> = (0..50).flat_map(|name| pretended(&[1; 32], &[name; 32])).collect();
    assert!(ids.len() > 20 && ids.iter().all(|id| is_pretended(&[1; 32], id)));
    assert!(!ids.iter().any(|id| is_pretended(&[2; 32], id)), "another key knows nothing");
    for id in &ids {
        let mut other = id.clone();
        *other.first_mut().unwrap() ^= 1;
        assert!(!is_pretended(&[1; 32], &other));
    }
    assert!(!is_pretended(&[1; 32], &[]));
}

#[test]
fn what_is_made_up_is_the_same_for_a_name_and_a_key() {
    let some = |key: u8, name: u8| pretended(&[key; 32], &[name; 32]);
    let all: Vec<_> = (0..200).map(|name| some(1, name)).collect();
    assert!((0..200).all(|name| some(1, name) == all[usize::from(name)]));
    let having = all.iter().filter(|ids| !ids.is_empty()).count();
    assert!((150..190).contains(&having), "{having} of 200 have passkeys");
    let ids: std::collections::BTreeSet<_> = all.iter().flatten().collect();
    assert_eq!(ids.len(), all.iter().map(Vec::len).sum::<usize>(), "no two are the same");
    assert_ne!(all[7..60], (7..60).map(|name| some(2, name)).collect::<Vec<_>>());
}
