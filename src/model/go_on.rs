//! Whether long work is to go on.

use std::fmt;
use std::sync::Arc;

/// Asked between two steps of what takes long: whoever wants the result may have gone, or may
/// have it no more. Answers in well under a microsecond, as a rule. The core takes no time and
/// knows no caller, so it is handed this by the shell.
#[derive(Clone, Default)]
pub struct GoOn(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl GoOn {
    /// To the end, whatever happens.
    pub const ALWAYS: Self = Self(None);

    /// For as long as this says so. Once it has said no, it must not say yes again.
    pub fn while_so(holds: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(holds)))
    }

    /// Whether to take another step.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.0.as_ref().is_none_or(|holds| holds())
    }
}

impl fmt::Debug for GoOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GoOn")
    }
}
