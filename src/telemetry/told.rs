//! What came of telling the webhook.

/// What the webhook did with a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It took it.
    Taken,
    /// It did not; it is told again.
    Failed,
    /// It said too often that the notice is wrong; it is left out.
    Refused,
}

impl Told {
    pub(super) const ALL: [Self; 3] = [Self::Taken, Self::Failed, Self::Refused];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}
