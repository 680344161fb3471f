//! What is asked of this bench on its command line.

use std::path::PathBuf;

/// How the bench runs.
pub struct Arguments {
    /// Whether to measure in earnest; otherwise a few small cells, to see that all still
    /// runs.
    pub whole: bool,
    pub policies: Vec<usize>,
    pub entities: Vec<usize>,
    /// How many changes of each kind are made.
    pub changes: usize,
    only: Option<String>,
    /// Where to draw the plots.
    pub plots: Option<PathBuf>,
}

const USAGE: &str = "cargo bench --bench curve -- [--quick] \
                     [--only drive|repositories|lists|changes|memory] \
                     [--policies N,N,…] [--entities N,N,…] [--changes N] [--plots DIR]";

impl Arguments {
    /// Reads them; nothing if there is nothing to run. `cargo bench` adds `--bench`;
    /// without it this is a test run, whose arguments are the test harness's: a filter,
    /// `--list` and others, which change nothing else here.
    pub fn read() -> Option<Self> {
        let all: Vec<String> = std::env::args().skip(1).collect();
        let measure = all.iter().any(|it| it == "--bench") && !all.iter().any(|it| it == "--test");
        if !measure {
            let filter = all.iter().find(|it| !it.starts_with('-'));
            let listed = all.iter().any(|it| it == "--list");
            let here = filter.is_none_or(|filter| "curve".contains(filter.as_str()));
            return (here && !listed).then(Self::quick);
        }
        let quick = all.iter().any(|it| it == "--quick");
        let mut arguments = if quick { Self::quick() } else { Self::whole() };
        let mut rest = all.iter();
        while let Some(name) = rest.next() {
            let mut value = || rest.next().unwrap_or_else(|| panic!("usage: {USAGE}")).as_str();
            let numbers = |text: &str| text.split(',').map(|it| it.parse().unwrap()).collect();
            match name.as_str() {
                "--bench" | "--quick" => {}
                "--policies" => arguments.policies = numbers(value()),
                "--entities" => arguments.entities = numbers(value()),
                "--changes" => arguments.changes = value().parse().unwrap(),
                "--only" => arguments.only = Some(value().to_owned()),
                "--plots" => arguments.plots = Some(PathBuf::from(value())),
                other => panic!("unknown argument {other}; usage: {USAGE}"),
            }
        }
        Some(arguments)
    }

    fn whole() -> Self {
        Self {
            whole: true,
            policies: vec![10, 100, 1_000, 10_000, 100_000],
            entities: vec![1_000, 100_000, 1_000_000],
            changes: 1_000,
            only: None,
            plots: None,
        }
    }

    fn quick() -> Self {
        Self {
            whole: false,
            policies: vec![10, 1_000],
            entities: vec![1_000],
            changes: 20,
            ..Self::whole()
        }
    }

    /// Whether a part is to be run.
    pub fn includes(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }
}
