//! What the settings promise.

use std::fs;
use std::net::IpAddr;

use proptest::prelude::*;

use super::key::variable;
use super::*;
use crate::model::Acr;

/// A flag, for what has no name of its own.
fn set(pairs: &[&str]) -> Flags {
    let set = pairs.iter().map(|pair| (*pair).to_owned()).collect();
    Flags { data: Some("/srv/countersign".to_owned()), set, ..Flags::default() }
}

fn read(pairs: &[&str]) -> Result<Settings, String> {
    Settings::resolve(&set(pairs), []).map_err(|error| error.to_string())
}

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A data directory with this `countersign.toml`, and flags that name it.
fn with_file(text: &str) -> (tempfile::TempDir, Flags) {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("countersign.toml"), text).unwrap();
    let flags = Flags { data: Some(data.path().display().to_string()), ..Flags::default() };
    (data, flags)
}

#[test]
fn nothing_but_a_data_directory_gives_the_defaults() {
    let settings = read(&[]).unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8181");
    assert_eq!(settings.key_file, PathBuf::from("/srv/countersign.key"));
    assert_eq!(settings.limits.body_bytes, 65_536);
    assert_eq!(settings.limits.request_bytes, 32_768);
    assert_eq!(settings.argon2, Argon2Cost { m_kib: 19_456, t: 2, p: 1 });
    assert!(settings.limits.hash_threads >= 1 && settings.limits.workers >= 1);
    let login_max = Acr::PhishingResistant;
    assert_eq!(settings.decisions, DecisionSettings { login_max, ..DecisionSettings::default() });
}

#[test]
fn a_flag_prevails_over_the_environment_and_that_over_the_file() {
    let (_data, mut flags) = with_file("[limits]\nqueue = 10\nbatch_items = 20\npage_items = 30");
    flags.set = vec!["limits.queue=1".to_owned()];
    let environment =
        environment(&[("COUNTERSIGN_LIMITS_QUEUE", "2"), ("COUNTERSIGN_LIMITS_BATCH_ITEMS", "3")]);
    let limits = Settings::resolve(&flags, environment).unwrap().limits;
    assert_eq!((limits.queue, limits.batch_items, limits.page_items), (1, 3, 30));
    assert_eq!(limits.hash_queue, 64, "what nobody gives is the default");
}

#[test]
fn a_named_flag_prevails_over_set() {
    let mut flags = set(&["listen=127.0.0.1:1"]);
    flags.listen = Some("127.0.0.1:2".to_owned());
    assert_eq!(Settings::resolve(&flags, []).unwrap().listen.port(), 2);
}

/// Flags as a person types them.
#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    flags: Flags,
}

#[test]
fn every_flag_sets_its_setting() {
    let typed = "serve --data /srv/d --listen 10.0.0.1:1 --public-url https://pdp.example.com \
        --tls-cert c.pem --tls-key k.pem --behind-proxy --trusted-proxies 10.0.0.2,10.1.0.0/16 \
        --key-file /etc/k --log-format json --log-level debug \
        --set limits.queue=7 --set decisions.namespace=Shop";
    let line = <Line as clap::Parser>::try_parse_from(typed.split_whitespace()).unwrap();
    let settings = Settings::resolve(&line.flags, []).unwrap();
    assert_eq!(settings.data, PathBuf::from("/srv/d"));
    assert_eq!(settings.listen.to_string(), "10.0.0.1:1");
    assert_eq!(settings.public_url.unwrap().to_string(), "https://pdp.example.com");
    assert_eq!(settings.tls, Some(TlsFiles { cert: "c.pem".into(), key: "k.pem".into() }));
    assert!(settings.behind_proxy);
    assert_eq!(settings.trusted_proxies.len(), 2);
    assert_eq!(settings.key_file, PathBuf::from("/etc/k"));
    assert_eq!(settings.log_format, LogFormat::Json);
    assert_eq!(settings.log_level, tracing::Level::DEBUG);
    assert_eq!(settings.limits.queue, 7);
    assert_eq!(settings.decisions.namespace.unwrap().as_str(), "Shop");
}

#[test]
fn the_file_may_be_named_and_must_then_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.toml");
    fs::write(&file, "data = \"/srv/elsewhere\"").unwrap();

    let flags = Flags { config: Some(file.clone()), ..Flags::default() };
    assert_eq!(Settings::resolve(&flags, []).unwrap().data, PathBuf::from("/srv/elsewhere"));
    let variable = environment(&[("COUNTERSIGN_CONFIG", &file.display().to_string())]);
    let settings = Settings::resolve(&Flags::default(), variable).unwrap();
    assert_eq!(settings.data, PathBuf::from("/srv/elsewhere"));

    fs::remove_file(&file).unwrap();
    let error = Settings::resolve(&flags, []).unwrap_err().to_string();
    assert!(error.starts_with("cannot read settings from `"), "{error}");
}

#[test]
fn without_a_data_directory_nothing_starts() {
    let error = Settings::resolve(&Flags::default(), []).unwrap_err();
    assert_eq!(error.to_string(), "no data directory; give --data DIR or set COUNTERSIGN_DATA");
}

#[test]
fn a_wrong_value_says_where_it_was_given_and_what_would_be_right() {
    assert_eq!(
        read(&["limits.queue=many"]).unwrap_err(),
        "flag `--set`: setting `limits.queue` is `many`; give a whole number from 1 to 65536 \
         (proposals)"
    );
    let flags = set(&[]);
    let wrong = environment(&[("COUNTERSIGN_LOG_FORMAT", "xml")]);
    assert_eq!(
        Settings::resolve(&flags, wrong).unwrap_err().to_string(),
        "environment variable `COUNTERSIGN_LOG_FORMAT`: setting `log_format` is `xml`; give \
         text or json"
    );
    let (data, flags) = with_file("behind_proxy = \"perhaps\"");
    let file = data.path().join("countersign.toml");
    assert_eq!(
        Settings::resolve(&flags, []).unwrap_err().to_string(),
        format!("`{}`: setting `behind_proxy` is `perhaps`; give true or false", file.display())
    );
}

#[test]
fn a_file_that_is_not_toml_is_refused_with_its_line() {
    let (_data, flags) = with_file("listen = \"127.0.0.1:1\"\n[limits\n");
    let error = Settings::resolve(&flags, []).unwrap_err().to_string();
    assert!(error.contains("countersign.toml` line 2: "), "{error}");
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_known_one() {
    for (given, nearest) in [
        ("limits.qeue", "limits.queue"),
        ("body_bytes", "limits.body_bytes"),
        ("lissten", "listen"),
        ("limits.argon2.m_kib", "argon2.m_kib"),
        ("session.ticket_s", "decisions.session.ticket_s"),
    ] {
        let error = read(&[&format!("{given}=1")]).unwrap_err();
        let expected = format!("there is no setting `{given}`; the nearest is `{nearest}`");
        assert!(error.ends_with(&expected), "{error}");
    }
    let (_data, flags) = with_file("[limits]\nbatchitems = 3");
    let error = Settings::resolve(&flags, []).unwrap_err().to_string();
    assert!(error.ends_with("`limits.batchitems`; the nearest is `limits.batch_items`"), "{error}");
}

#[test]
fn a_slip_in_the_environment_is_refused_and_a_strangers_variable_is_not() {
    let slip = environment(&[("COUNTERSIGN_BEHIND_PROXI", "1")]);
    let error = Settings::resolve(&set(&[]), slip).unwrap_err().to_string();
    assert!(error.ends_with("the nearest is `COUNTERSIGN_BEHIND_PROXY`"), "{error}");

    let strangers = environment(&[
        ("COUNTERSIGN_SERVICE_HOST", "10.0.0.1"),
        ("COUNTERSIGN_PORT_8181_TCP_ADDR", "10.0.0.1"),
        ("COUNTERSIGN_TOKEN", "a token is no setting"),
        ("LISTEN", "0.0.0.0:1"),
    ]);
    assert_eq!(Settings::resolve(&set(&[]), strangers).unwrap(), read(&[]).unwrap());
}

#[test]
fn every_number_takes_its_bounds_and_nothing_beyond() {
    let mut numbers = 0;
    for key in known::ALL {
        let line = key.describe();
        let Some((_, bounds)) = line.split_once("a whole number from ") else { continue };
        let (min, rest) = bounds.split_once(" to ").unwrap();
        let max = rest.split_once(' ').unwrap().0;
        let [min, max]: [u64; 2] = [min, max].map(|bound| bound.parse().unwrap());
        for beyond in [min.checked_sub(1), max.checked_add(1)].into_iter().flatten() {
            let error = read(&[&format!("{}={beyond}", key.name())]).unwrap_err();
            assert!(error.contains(&format!("`{}` is `{beyond}`", key.name())), "{error}");
        }
        for within in [min, max] {
            if let Err(error) = read(&[&format!("{}={within}", key.name())]) {
                assert!(!error.contains("a whole number"), "{error}");
            }
        }
        numbers += 1;
    }
    assert!(numbers >= 25, "only {numbers} numbers were tried");
}

#[test]
fn every_setting_is_read_and_has_a_line_in_the_reference() {
    let reference = reference();
    for key in known::ALL {
        assert!(reference.contains(&format!("{}\n", key.name())), "{}", key.name());
        // No setting takes an empty value, so one that is read refuses it.
        let empty = environment(&[(&variable(key.name()), "")]);
        let flags = if key.name() == "data" { Flags::default() } else { set(&[]) };
        let error = Settings::resolve(&flags, empty).unwrap_err().to_string();
        assert!(error.contains(&format!("setting `{}` is ``", key.name())), "{error}");
    }
}

#[test]
fn defaults_agree_with_those_of_the_world() {
    // What a login can reach follows from other settings; a log that says nothing of it is
    // taken for one of a build that did not know.
    let world = DecisionSettings { login_max: Acr::PhishingResistant, ..Default::default() };
    assert_eq!(known::TICKET_S.kind.default, world.session.ticket_s);
    assert_eq!(read(&[]).unwrap().decisions, world);
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let idle = "decisions.session.aal2_idle_s=3600";
    let error = read(&["decisions.session.aal2_absolute_s=60", idle]).unwrap_err();
    assert!(error.contains("`decisions.session.aal2_idle_s` (3600) is above"), "{error}");
    let error = read(&["decisions.throttle.delay_base_s=9", "decisions.throttle.delay_max_s=8"]);
    assert!(error.unwrap_err().contains("`decisions.throttle.delay_base_s` (9) is above"));
}

#[test]
fn a_hash_may_be_dearer_or_of_equal_strength_but_not_cheaper() {
    for (m_kib, t, taken) in [
        (19_456, 2, true),
        (47_104, 1, true),
        (7_168, 5, true),
        (65_536, 4, true),
        (19_455, 2, false),
        (47_103, 1, false),
        (12_288, 2, false),
    ] {
        let result = read(&[&format!("argon2.m_kib={m_kib}"), &format!("argon2.t={t}")]);
        assert_eq!(result.is_ok(), taken, "{m_kib} KiB, {t} passes");
    }
}

#[test]
fn names_of_countersigns_own_are_not_for_applications() {
    for pair in ["decisions.namespace=Countersign", "decisions.user_type=Countersign::Person"] {
        assert!(read(&[pair]).unwrap_err().contains("is reserved"), "{pair}");
    }
    let settings = read(&["decisions.namespace=Shop", "decisions.user_type=Shop::Customer"]);
    let decisions = settings.unwrap().decisions;
    assert_eq!(decisions.namespace.unwrap().as_str(), "Shop");
    assert_eq!(decisions.user_type.as_str(), "Shop::Customer");
}

#[test]
fn plaintext_stays_on_loopback_or_behind_a_named_proxy() {
    let cases: [(&[&str], bool); 9] = [
        (&["listen=127.0.0.1:80"], true),
        (&["listen=[::1]:80"], true),
        (&["listen=[::ffff:127.0.0.1]:80"], true),
        (&["listen=0.0.0.0:80"], false),
        (&["listen=[::]:80"], false),
        (&["listen=192.168.1.1:80", "tls_cert=c.pem", "tls_key=k.pem"], true),
        (&["listen=192.168.1.1:80", "tls_cert=c.pem"], false),
        (&["listen=192.168.1.1:80", "behind_proxy=true"], false),
        (&["listen=192.168.1.1:80", "behind_proxy=true", "trusted_proxies=192.168.1.2"], true),
    ];
    for (pairs, taken) in cases {
        assert_eq!(read(pairs).is_ok(), taken, "{pairs:?}: {:?}", read(pairs).err());
    }
}

#[test]
fn a_public_url_is_https_or_on_loopback_and_nothing_but_an_origin() {
    for (text, taken) in [
        ("https://pdp.example.com", Some("https://pdp.example.com")),
        ("https://pdp.example.com:8443/", Some("https://pdp.example.com:8443")),
        ("https://[2001:db8::1]:1", Some("https://[2001:db8::1]:1")),
        ("http://localhost:8181", Some("http://localhost:8181")),
        ("http://127.0.0.1", Some("http://127.0.0.1")),
        ("http://[::1]:1", Some("http://[::1]:1")),
        ("http://pdp.example.com", None),
        ("https://", None),
        ("https://user@pdp.example.com", None),
        ("https://pdp.example.com/path", None),
        ("https://pdp.example.com?q", None),
        ("https://pdp.example.com:0", None),
        ("https://pdp.example.com:+1", None),
        ("https://[pdp]", None),
        ("ftp://localhost", None),
        ("pdp.example.com", None),
    ] {
        let url = text.parse::<PublicUrl>().ok();
        assert_eq!(url.as_ref().map(PublicUrl::as_str), taken, "{text}");
    }
}

#[test]
fn the_key_never_lies_in_what_it_seals() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    std::os::unix::fs::symlink(&data, folder.path().join("detour")).unwrap();
    let at = |key: &str| {
        let data = Some(data.display().to_string());
        let key_file = Some(folder.path().join(key).display().to_string());
        Settings::resolve(&Flags { data, key_file, ..Flags::default() }, [])
    };
    for inside in ["data/key", "data/new/key", "data", "other/../data/key", "detour/key"] {
        assert!(matches!(at(inside), Err(SettingError::KeyInData { .. })), "{inside}");
    }
    for outside in ["key", "data.key", "database/key", "detour/../key"] {
        assert!(at(outside).is_ok(), "{outside}: {:?}", at(outside).err());
    }
}

#[test]
fn a_network_holds_its_addresses() {
    for (network, address, within) in [
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("10.0.0.0/8", "::ffff:10.0.0.1", true),
        ("0.0.0.0/0", "203.0.113.7", true),
        ("0.0.0.0/0", "::1", false),
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("fd00::/8", "fdff::1", true),
        ("fd00::/8", "fe00::1", false),
    ] {
        let network: Network = network.parse().unwrap();
        assert_eq!(network.contains(address.parse().unwrap()), within, "{network} {address}");
    }
    for wrong in ["", "10.0.0.0/33", "10.1.2.3/8", "10.0.0.0/", "::/129", "10.0.0", "a/8"] {
        assert_eq!(wrong.parse::<Network>(), Err(transport::NotANetwork), "{wrong}");
    }
}

proptest! {
    /// Law: a network holds an address exactly if their first bits agree.
    #[test]
    fn a_network_is_a_common_prefix(address: u32, other: u32, prefix in 0_u32..=32) {
        let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
        let base = std::net::Ipv4Addr::from_bits(address & mask);
        let network: Network = format!("{base}/{prefix}").parse().unwrap();
        let other_address = IpAddr::V4(std::net::Ipv4Addr::from_bits(other));
        prop_assert_eq!(network.contains(other_address), address & mask == other & mask);
    }

    /// Law: no text whatever makes reading panic, or is repeated at length.
    #[test]
    fn hostile_values_are_refused_shortly(name in "\\PC{0,200}", value in "\\PC{0,2000}") {
        if let Err(error) = read(&[&format!("{name}={value}")]) {
            prop_assert!(error.chars().count() < 700, "{}", error);
        }
    }
}
