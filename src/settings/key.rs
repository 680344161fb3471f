//! What a setting may be: its name, its kind, its bounds, its default.

/// One setting.
pub(super) struct Key<K> {
    /// Its name in the file, such as `limits.body_bytes`.
    pub(super) name: &'static str,
    /// What values it takes.
    pub(super) kind: K,
    /// What it does, in a line.
    pub(super) meaning: &'static str,
}

/// A whole number within bounds.
pub(super) struct Number {
    pub(super) default: u64,
    pub(super) min: u64,
    pub(super) max: u64,
    pub(super) unit: &'static str,
}

/// `true` or `false`.
pub(super) struct Switch {
    pub(super) default: bool,
}

/// One of a few words.
pub(super) struct Choice<T: 'static> {
    pub(super) default: (&'static str, T),
    pub(super) others: &'static [(&'static str, T)],
}

/// A text of a certain shape, or several of them; absent if the default is empty.
pub(super) struct Text {
    pub(super) default: &'static str,
    pub(super) shape: &'static str,
}

/// What values a setting takes.
pub(super) trait Kind {
    /// What a right value looks like.
    fn expected(&self) -> String;
    /// The default as it would be written; empty for none.
    fn default_text(&self) -> String;
}

impl Kind for Number {
    fn expected(&self) -> String {
        format!("a whole number from {} to {} ({})", self.min, self.max, self.unit)
    }
    fn default_text(&self) -> String {
        self.default.to_string()
    }
}

impl Kind for Switch {
    fn expected(&self) -> String {
        "true or false".to_owned()
    }
    fn default_text(&self) -> String {
        self.default.to_string()
    }
}

impl<T> Kind for Choice<T> {
    fn expected(&self) -> String {
        let others = self.others.iter().map(|(word, _)| *word);
        let words: Vec<_> = std::iter::once(self.default.0).chain(others).collect();
        words.join(" or ")
    }
    fn default_text(&self) -> String {
        self.default.0.to_owned()
    }
}

impl Kind for Text {
    fn expected(&self) -> String {
        self.shape.to_owned()
    }
    fn default_text(&self) -> String {
        self.default.to_owned()
    }
}

/// A setting of any kind, for what concerns all of them.
pub(super) trait Known: Sync {
    /// Its name in the file.
    fn name(&self) -> &'static str;
    /// Its lines in the reference.
    fn describe(&self) -> String;
}

impl<K: Kind + Sync> Known for Key<K> {
    fn name(&self) -> &'static str {
        self.name
    }
    fn describe(&self) -> String {
        let default = match self.kind.default_text() {
            none if none.is_empty() => "none".to_owned(),
            text => text,
        };
        let (name, expected, meaning) = (self.name, self.kind.expected(), self.meaning);
        format!("{name}\n    {meaning}\n    {expected}; default {default}\n")
    }
}

impl Key<Number> {
    /// A number of a unit; `bounds` are the least and the greatest.
    pub(super) const fn number(
        name: &'static str,
        default: u64,
        (min, max): (u64, u64),
        unit: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { name, kind: Number { default, min, max, unit }, meaning }
    }
}

impl Key<Text> {
    /// A text with its default; an empty default means none.
    pub(super) const fn text(
        name: &'static str,
        default: &'static str,
        shape: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { name, kind: Text { default, shape }, meaning }
    }
}

impl Key<Switch> {
    /// A switch with its default.
    pub(super) const fn switch(name: &'static str, default: bool, meaning: &'static str) -> Self {
        Self { name, kind: Switch { default }, meaning }
    }
}

/// The name that a setting has in the environment: `limits.queue` is
/// `COUNTERSIGN_LIMITS_QUEUE`.
pub(super) fn variable(name: &str) -> String {
    format!("COUNTERSIGN_{}", name.replace('.', "_").to_ascii_uppercase())
}
