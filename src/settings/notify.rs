//! Who is told what persons must hear of.

use std::path::PathBuf;

use super::layer::Layers;
use super::{SettingError, SubmissionUrl, known};

/// The webhook that is told of what happened to anybody's authenticators and sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotifySettings {
    /// Where it is asked; nobody is told if not given.
    pub webhook: Option<SubmissionUrl>,
    /// The file with the secret that what it is told is signed with.
    pub secret_file: Option<PathBuf>,
    /// The certificates, PEM, that its own is checked against; the public ones if not given.
    pub ca: Option<PathBuf>,
}

impl NotifySettings {
    pub(super) fn read(layers: &Layers) -> Result<Self, SettingError> {
        let webhook = layers.parsed(&known::NOTIFY_WEBHOOK)?;
        let secret_file = layers.text(&known::NOTIFY_SECRET_FILE)?.map(PathBuf::from);
        if webhook.is_some() && secret_file.is_none() {
            let (given, missing) = (known::NOTIFY_WEBHOOK.name, known::NOTIFY_SECRET_FILE.name);
            return Err(SettingError::Lacking { given, missing });
        }
        let ca = layers.text(&known::NOTIFY_CA)?.map(PathBuf::from);
        Ok(Self { webhook, secret_file, ca })
    }
}
