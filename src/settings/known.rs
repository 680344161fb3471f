//! Every setting there is, with its default and bounds.

use tracing::Level;

use super::LogFormat;
use super::key::{Choice, Key, Known, Number, Switch, Text};

/// The settings as a text: name, meaning, what is accepted, default.
#[must_use]
pub fn reference() -> String {
    ALL.iter().map(|key| key.describe()).collect()
}

pub(super) const ALL: &[&dyn Known] = &[
    &DATA,
    &LISTEN,
    &PUBLIC_URL,
    &TLS_CERT,
    &TLS_KEY,
    &BEHIND_PROXY,
    &TRUSTED_PROXIES,
    &KEY_FILE,
    &CHECKPOINT_FILE,
    &LOG_PUBLIC,
    &WITNESS_LOGS,
    &WITNESS_ASK,
    &WITNESS_CA,
    &NOTIFY_WEBHOOK,
    &NOTIFY_SECRET_FILE,
    &NOTIFY_CA,
    &WEBAUTHN_RP_ID,
    &WEBAUTHN_ORIGINS,
    &WEBAUTHN_ATTESTATION,
    &LOG_FORMAT,
    &LOG_LEVEL,
    &BODY_BYTES,
    &PUBLISH_BODY_BYTES,
    &JSON_DEPTH,
    &BATCH_ITEMS,
    &REQUEST_BYTES,
    &PAGE_ITEMS,
    &QUEUE,
    &HASH_QUEUE,
    &HASH_THREADS,
    &LOGINS_PER_S,
    &LOGINS_PER_SOURCE,
    &CONNECTIONS,
    &WORKERS,
    &LAG_MS,
    &GROUP_ENTRIES,
    &GROUP_WAIT_US,
    &SNAPSHOTS_EVERY,
    &SNAPSHOTS_KEPT,
    &SNAPSHOTS_SPARE_MIB,
    &ARGON2_M_KIB,
    &ARGON2_T,
    &ARGON2_P,
    &PASSWORD_WORDS,
    &CROSS_CHECK_EVERY,
    &NAMESPACE,
    &USER_TYPE,
    &FORBID_ERRORS_DENY,
    &AAL1_ABSOLUTE_S,
    &AAL1_IDLE_S,
    &AAL2_ABSOLUTE_S,
    &AAL2_IDLE_S,
    &AAL3_ABSOLUTE_S,
    &AAL3_IDLE_S,
    &TICKET_S,
    &MFA_PENDING_S,
    &FAILURES_FREE,
    &DELAY_BASE_S,
    &DELAY_MAX_S,
    &FAILURES_MAX_PASSWORD,
    &FAILURES_MAX_TOTP,
    &FOUR_EYES,
];

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const DAY: u64 = 86_400;

// ── where and how ──

pub(super) const DATA: Key<Text> =
    Key::text("data", "", "a directory", "where the log, the vault and the snapshots live");
pub(super) const LISTEN: Key<Text> = Key::text(
    "listen",
    "127.0.0.1:8181",
    "an address and a port such as 127.0.0.1:8181",
    "the address to listen on",
);
pub(super) const PUBLIC_URL: Key<Text> = Key::text(
    "public_url",
    "",
    "https:// and a host, with a port or without; http:// on loopback only",
    "where callers reach this node",
);
pub(super) const TLS_CERT: Key<Text> =
    Key::text("tls_cert", "", "a PEM file", "the certificate chain, leaf first");
pub(super) const TLS_KEY: Key<Text> =
    Key::text("tls_key", "", "a PEM file", "the certificate's private key");
pub(super) const BEHIND_PROXY: Key<Switch> = Key::switch(
    "behind_proxy",
    false,
    "whether a proxy in front speaks TLS, so that plaintext may leave loopback",
);
pub(super) const TRUSTED_PROXIES: Key<Text> = Key::text(
    "trusted_proxies",
    "",
    "addresses or networks such as 10.0.0.0/8",
    "the proxies whose word on the client's address is believed",
);
pub(super) const KEY_FILE: Key<Text> = Key::text(
    "key_file",
    "",
    "a file outside the data directory",
    "the key that seals the vault; DATA.key if not given",
);
pub(super) const CHECKPOINT_FILE: Key<Text> = Key::text(
    "checkpoint_file",
    "",
    "a file outside DATA/log, best on another disk",
    "the newest signed checkpoint, which the log is held against; DATA/checkpoint if not given",
);
pub(super) const LOG_PUBLIC: Key<Switch> = Key::switch(
    "log.public",
    false,
    "whether everybody may read checkpoint, tiles and all entries; else those with scope audit",
);
pub(super) const WITNESS_LOGS: Key<Text> = Key::text(
    "witness.logs",
    "",
    "verifier keys of logs such as log.example+1a2b3c4d+AbCd…",
    "the logs whose checkpoints this node cosigns, as their witness",
);
pub(super) const WITNESS_ASK: Key<Text> = Key::text(
    "witness.ask",
    "",
    "at most 16 witnesses such as https://node.example/log/v1 node.example/witness+1a2b3c4d+BCd…",
    "the witnesses that are asked to cosign this log's checkpoints, each by URL and verifier key",
);
pub(super) const WITNESS_CA: Key<Text> = Key::text(
    "witness.ca",
    "",
    "a PEM file",
    "the certificates that those of witnesses are checked against; the public ones if not given",
);
pub(super) const NOTIFY_WEBHOOK: Key<Text> = Key::text(
    "notify.webhook",
    "",
    "https:// and a host, a path or none, no query; http:// on loopback only",
    "the webhook that hears what happens to anybody's authenticators",
);
pub(super) const NOTIFY_SECRET_FILE: Key<Text> = Key::text(
    "notify.secret_file",
    "",
    "a file of at least 32 bytes",
    "the secret that what the webhook hears is signed with",
);
pub(super) const NOTIFY_CA: Key<Text> = Key::text(
    "notify.ca",
    "",
    "a PEM file",
    "the certificates that the webhook's is checked against; the public ones if not given",
);
pub(super) const WEBAUTHN_RP_ID: Key<Text> = Key::text(
    "webauthn.rp_id",
    "",
    "a domain such as example.org",
    "what passkeys are made for, for ever; the host of the first origin if not given",
);
pub(super) const WEBAUTHN_ORIGINS: Key<Text> = Key::text(
    "webauthn.origins",
    "",
    "at most 16 of https:// and a host, with a port or without; http:// on localhost only",
    "where passkeys are used, each exactly so; public_url, or localhost, if not given",
);
pub(super) const WEBAUTHN_ATTESTATION: Key<Text> = Key::text(
    "webauthn.attestation",
    "",
    "a file of PEM certificates, each with its `aaguid` lines",
    "the authenticators that may give AAL3; none if not given",
);
pub(super) const LOG_FORMAT: Key<Choice<LogFormat>> = Key {
    name: "log_format",
    kind: Choice { default: ("text", LogFormat::Text), others: &[("json", LogFormat::Json)] },
    meaning: "how log lines are written, to standard error",
};
pub(super) const LOG_LEVEL: Key<Choice<Level>> = Key {
    name: "log_level",
    kind: Choice {
        default: ("info", Level::INFO),
        others: &[
            ("error", Level::ERROR),
            ("warn", Level::WARN),
            ("debug", Level::DEBUG),
            ("trace", Level::TRACE),
        ],
    },
    meaning: "the least severe line that is written",
};

// ── limits ──

pub(super) const BODY_BYTES: Key<Number> = Key::number(
    "limits.body_bytes",
    64 * KIB,
    (KIB, 16 * MIB),
    "bytes",
    "a request's body, publications apart",
);
pub(super) const PUBLISH_BODY_BYTES: Key<Number> = Key::number(
    "limits.publish_body_bytes",
    16 * MIB,
    (KIB, 64 * MIB),
    "bytes",
    "a publication's body: policies, schema or entities",
);
// Above 100 a parser would have to recurse deeper than its stack is proven for.
pub(super) const JSON_DEPTH: Key<Number> = Key::number(
    "limits.json_depth",
    32,
    (4, 100),
    "levels",
    "objects and arrays within each other",
);
pub(super) const BATCH_ITEMS: Key<Number> = Key::number(
    "limits.batch_items",
    100,
    (1, 1_000),
    "items",
    "evaluations or events in one request",
);
// An entry holds at most 48 KiB, and the request is not all of it.
pub(super) const REQUEST_BYTES: Key<Number> = Key::number(
    "limits.request_bytes",
    32 * KIB,
    (KIB, 32 * KIB),
    "bytes",
    "one access request as recorded, after pruning",
);
pub(super) const PAGE_ITEMS: Key<Number> =
    Key::number("limits.page_items", 1_000, (1, 10_000), "rows", "one page of a list");
pub(super) const QUEUE: Key<Number> = Key::number(
    "limits.queue",
    1_024,
    (1, 65_536),
    "proposals",
    "what waits for the writer; beyond it callers get 503",
);
pub(super) const HASH_QUEUE: Key<Number> = Key::number(
    "limits.hash_queue",
    64,
    (1, 1_024),
    "passwords",
    "what waits to be hashed; beyond it callers get 503",
);
pub(super) const HASH_THREADS: Key<Number> = Key::number(
    "limits.hash_threads",
    0,
    (0, 64),
    "threads; 0 is half the cores",
    "threads that hash passwords",
);
pub(super) const LOGINS_PER_S: Key<Number> = Key::number(
    "limits.logins_per_s",
    100,
    (1, 10_000),
    "attempts",
    "passwords, and passkeys, looked at in a second, ten seconds' worth at once; else 429",
);
pub(super) const LOGINS_PER_SOURCE: Key<Number> = Key::number(
    "limits.logins_per_source",
    300,
    (1, 1_000_000),
    "attempts",
    "passwords, and passkeys, tried in a minute from one network (/24, /56), loopback apart",
);
pub(super) const CONNECTIONS: Key<Number> = Key::number(
    "limits.connections",
    10_000,
    (1, 1_000_000),
    "connections",
    "connections open at once",
);
pub(super) const WORKERS: Key<Number> = Key::number(
    "limits.workers",
    0,
    (0, 256),
    "threads; 0 is one a core",
    "threads that answer requests",
);

pub(super) const LAG_MS: Key<Number> = Key::number(
    "limits.lag_ms",
    200,
    (1, 600_000),
    "milliseconds",
    "how late a worker may be; beyond it evaluations get 503 until it has caught up",
);

// ── the writer ──

pub(super) const GROUP_ENTRIES: Key<Number> = Key::number(
    "sequencer.group_entries",
    256,
    (1, 4_096),
    "entries",
    "the most that one commit takes",
);
pub(super) const GROUP_WAIT_US: Key<Number> = Key::number(
    "sequencer.group_wait_us",
    500,
    (0, 100_000),
    "microseconds",
    "how long a commit waits for others under load; a lone entry never waits",
);

// ── snapshots of the World ──

pub(super) const SNAPSHOTS_EVERY: Key<Number> = Key::number(
    "snapshots.every",
    100_000,
    (1, 100_000_000),
    "entries",
    "after how many the World is put away, for a faster start and looks into the past",
);
pub(super) const SNAPSHOTS_KEPT: Key<Number> = Key::number(
    "snapshots.kept",
    8,
    (0, 1_000),
    "snapshots; 0 keeps none",
    "how many are kept, spread over the log",
);
pub(super) const SNAPSHOTS_SPARE_MIB: Key<Number> = Key::number(
    "snapshots.spare_mib",
    512,
    (0, MIB),
    "MiB",
    "what a snapshot leaves free on the disk: the log is to run out of room last",
);

// ── argon2id; its floor is checked for the three together ──

pub(super) const ARGON2_M_KIB: Key<Number> =
    Key::number("argon2.m_kib", 19_456, (7_168, 4 * MIB), "KiB", "memory for one password hash");
pub(super) const ARGON2_T: Key<Number> =
    Key::number("argon2.t", 2, (1, 64), "passes", "passes over the memory");
pub(super) const ARGON2_P: Key<Number> =
    Key::number("argon2.p", 1, (1, 16), "lanes", "lanes, computed one after the other");
pub(super) const PASSWORD_WORDS: Key<Text> = Key::text(
    "passwords.words",
    "",
    "at most 1,000 words, such as the names of the organisation, its products and projects",
    "what no new password may be made of alone, beside its user's name and this product's",
);

// ── checking ourselves ──

pub(super) const CROSS_CHECK_EVERY: Key<Number> = Key::number(
    "cross_check.every",
    1_000,
    (0, 1_000_000_000),
    "evaluations; 0 is never",
    "of how many one is decided by Cedar's own authorizer too, at no more than 2 % of a core",
);

// ── decisions: bounds from SP 800-63B-4 §2.1.3, §2.2.3 and §3.2.2 ──

pub(super) const NAMESPACE: Key<Text> = Key::text(
    "decisions.namespace",
    "",
    "identifiers joined by ::",
    "put before a type or an action that is named without one",
);
pub(super) const USER_TYPE: Key<Text> = Key::text(
    "decisions.user_type",
    "User",
    "identifiers joined by ::",
    "the entity type of those who log in here",
);
pub(super) const FOUR_EYES: Key<Switch> = Key::switch(
    "policies.four_eyes",
    false,
    "whether a version of the policies comes in force only once somebody else has approved it",
);
pub(super) const FORBID_ERRORS_DENY: Key<Switch> = Key::switch(
    "decisions.forbid_errors_deny",
    true,
    "whether a forbid that cannot be evaluated denies; Cedar alone would skip it",
);
pub(super) const AAL1_ABSOLUTE_S: Key<Number> = Key::number(
    "decisions.session.aal1_absolute_s",
    DAY,
    (1, 30 * DAY),
    "seconds",
    "how long a session of one factor lasts",
);
pub(super) const AAL1_IDLE_S: Key<Number> = Key::number(
    "decisions.session.aal1_idle_s",
    3_600,
    (1, 30 * DAY),
    "seconds",
    "how long it lasts unused",
);
pub(super) const AAL2_ABSOLUTE_S: Key<Number> = Key::number(
    "decisions.session.aal2_absolute_s",
    DAY / 2,
    (1, DAY),
    "seconds",
    "how long a session of two factors lasts",
);
pub(super) const AAL2_IDLE_S: Key<Number> = Key::number(
    "decisions.session.aal2_idle_s",
    3_600,
    (1, 3_600),
    "seconds",
    "how long it lasts unused",
);
pub(super) const AAL3_ABSOLUTE_S: Key<Number> = Key::number(
    "decisions.session.aal3_absolute_s",
    DAY / 2,
    (1, DAY / 2),
    "seconds",
    "how long a session with an attested key lasts, if a session of two factors lasts as long",
);
pub(super) const AAL3_IDLE_S: Key<Number> = Key::number(
    "decisions.session.aal3_idle_s",
    900,
    (1, 900),
    "seconds",
    "how long it lasts unused",
);
pub(super) const TICKET_S: Key<Number> = Key::number(
    "decisions.session.ticket_s",
    DAY,
    (60, 7 * DAY),
    "seconds",
    "how long an enrolment ticket may be used",
);
pub(super) const MFA_PENDING_S: Key<Number> = Key::number(
    "decisions.session.mfa_pending_s",
    600,
    (1, 3_600),
    "seconds",
    "how long a new authenticator waits for its first right code",
);
pub(super) const FAILURES_FREE: Key<Number> = Key::number(
    "decisions.throttle.failures_free",
    3,
    (0, 20),
    "failures",
    "consecutive failures without a delay",
);
pub(super) const DELAY_BASE_S: Key<Number> = Key::number(
    "decisions.throttle.delay_base_s",
    1,
    (1, 60),
    "seconds",
    "the first delay; each further failure doubles it",
);
pub(super) const DELAY_MAX_S: Key<Number> =
    Key::number("decisions.throttle.delay_max_s", 900, (1, 3_600), "seconds", "the longest delay");
pub(super) const FAILURES_MAX_PASSWORD: Key<Number> = Key::number(
    "decisions.throttle.failures_max_password",
    100,
    (1, 100),
    "failures",
    "consecutive failures that disable a password, or a set of recovery codes",
);
pub(super) const FAILURES_MAX_TOTP: Key<Number> = Key::number(
    "decisions.throttle.failures_max_totp",
    20,
    (1, 100),
    "failures",
    "consecutive failures that disable a TOTP authenticator",
);
