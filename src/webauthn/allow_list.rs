//! The owner's list of authenticators that are known to keep a key in hardware.

use std::collections::{BTreeMap, BTreeSet};

use webauthn_rs::prelude::{AttestationCaList, AttestationCaListBuilder, Uuid};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The certificates that attest authenticators, each with the models (AAGUIDs) that it is
/// believed about.
///
/// Written as PEM (RFC 7468, which lets text stand between certificates), and after each
/// certificate its models, one a line:
///
/// ```text
/// # a comment
/// -----BEGIN CERTIFICATE-----
/// …
/// -----END CERTIFICATE-----
/// aaguid 2fc0579f-8113-47ea-b116-bb5a8db9202a a name for people
/// ```
#[derive(Clone)]
pub struct AllowList {
    authorities: AttestationCaList,
    models: BTreeSet<Uuid>,
}

/// A text that is no such list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct NotAnAllowList {
    /// 1-based.
    pub line: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl AllowList {
    /// The authorities, for the library.
    pub(super) fn authorities(&self) -> AttestationCaList {
        self.authorities.clone()
    }

    /// True if a model is on it.
    #[must_use]
    pub fn contains(&self, model: &Uuid) -> bool {
        self.models.contains(model)
    }
}

impl std::str::FromStr for AllowList {
    type Err = NotAnAllowList;

    fn from_str(text: &str) -> Result<Self, NotAnAllowList> {
        let mut list = Reading::default();
        for (at, text) in text.lines().enumerate() {
            list.line(at + 1, text.trim())?;
        }
        list.ended()
    }
}

/// A list as far as it was read.
#[derive(Default)]
struct Reading {
    built: AttestationCaListBuilder,
    models: BTreeSet<Uuid>,
    /// The certificate that is being read, or whose models are.
    pem: String,
    open: bool,
    /// The line on which a certificate ended that has no model yet.
    bare: Option<usize>,
}

impl Reading {
    fn line(&mut self, line: usize, text: &str) -> Result<(), NotAnAllowList> {
        let wrong = |what| NotAnAllowList { line, what };
        match text {
            BEGIN if self.open => return Err(wrong("a certificate within a certificate")),
            BEGIN => {
                self.has_models()?;
                self.pem = format!("{BEGIN}\n");
                self.open = true;
            }
            END if self.open => {
                self.pem.push_str(END);
                self.pem.push('\n');
                self.open = false;
                self.bare = Some(line);
            }
            _ if self.open => {
                self.pem.push_str(text);
                self.pem.push('\n');
            }
            _ if text.is_empty() || text.starts_with('#') => {}
            _ => self.model(text).map_err(wrong)?,
        }
        Ok(())
    }

    fn model(&mut self, text: &str) -> Result<(), &'static str> {
        let model = text.strip_prefix("aaguid ").ok_or("neither a certificate nor an aaguid")?;
        let (model, name) = model.trim_start().split_once(' ').unwrap_or((model.trim(), ""));
        let model: Uuid = model.parse().map_err(|_| "not an aaguid")?;
        if model.is_nil() {
            return Err("the aaguid of zeros is what authenticators without one say");
        }
        if self.pem.is_empty() {
            return Err("an aaguid before the certificate that attests it");
        }
        let (pem, name) = (self.pem.as_bytes(), name.trim().to_owned());
        let put = self.built.insert_device_pem(pem, model, name, BTreeMap::new());
        put.map_err(|_| "the certificate above it cannot be read")?;
        self.models.insert(model);
        self.bare = None;
        Ok(())
    }

    /// A certificate that stands alone would be believed about every model there is.
    fn has_models(&self) -> Result<(), NotAnAllowList> {
        let what = "a certificate without an aaguid after it";
        self.bare.map_or(Ok(()), |line| Err(NotAnAllowList { line, what }))
    }

    fn ended(self) -> Result<AllowList, NotAnAllowList> {
        self.has_models()?;
        if self.open || self.models.is_empty() {
            return Err(NotAnAllowList { line: 1, what: "no whole certificate with an aaguid" });
        }
        Ok(AllowList { authorities: self.built.build(), models: self.models })
    }
}
