//! What is asked of this bench on its command line.

use std::time::Duration;

use crate::load::Length;

/// How the bench runs.
#[derive(Clone)]
pub struct Arguments {
    /// Whether to measure; otherwise a few requests are made to see that all still runs.
    pub measure: bool,
    seconds: f64,
    rounds: u32,
    /// Numbers of connections.
    pub connections: Vec<usize>,
    /// Minutes of the soak.
    pub minutes: u64,
    /// The one part to run, if not all but the soak: `echo`, `batch`, `flood`, `overload`,
    /// `policies`, `changes` or `soak`.
    only: Option<String>,
    /// Settings of the node, `name=value`.
    pub set: Vec<String>,
}

const USAGE: &str = "cargo bench --bench http -- [--seconds N] [--rounds N] \
                     [--connections N,N,…] \
                     [--only echo|batch|flood|overload|policies|changes|soak] \
                     [--minutes N] [--set NAME=VALUE]…";

/// Requests in all for each kind of round when nothing is measured.
const TRIED: usize = 200;

impl Arguments {
    /// Reads them; nothing if there is nothing to run. `cargo bench` adds `--bench`;
    /// without it this is a test run, whose arguments are the test harness's: a filter,
    /// `--list` and others, which change nothing else here.
    pub fn read() -> Option<Self> {
        let all: Vec<String> = std::env::args().skip(1).collect();
        let measure = all.iter().any(|it| it == "--bench") && !all.iter().any(|it| it == "--test");
        let mut arguments = Self {
            measure,
            seconds: 10.0,
            rounds: 5,
            connections: vec![1, 64],
            minutes: 30,
            only: None,
            set: Vec::new(),
        };
        if !measure {
            // Unoptimised, a batch takes so long that workers would be late by design.
            arguments.set.push("limits.lag_ms=600000".to_owned());
            let filter = all.iter().find(|it| !it.starts_with('-'));
            let listed = all.iter().any(|it| it == "--list");
            let here = filter.is_none_or(|filter| "http".contains(filter.as_str()));
            return (here && !listed).then_some(arguments);
        }
        let mut rest = all.iter();
        while let Some(name) = rest.next() {
            let mut value = || rest.next().unwrap_or_else(|| panic!("usage: {USAGE}")).as_str();
            match name.as_str() {
                "--bench" => {}
                "--seconds" => arguments.seconds = value().parse().unwrap(),
                "--rounds" => arguments.rounds = value().parse().unwrap(),
                "--connections" => {
                    let numbers = value().split(',').map(|it| it.parse().unwrap());
                    arguments.connections = numbers.collect();
                }
                "--minutes" => arguments.minutes = value().parse().unwrap(),
                "--only" => arguments.only = Some(value().to_owned()),
                "--set" => arguments.set.push(value().to_owned()),
                other => panic!("unknown argument {other}; usage: {USAGE}"),
            }
        }
        Some(arguments)
    }

    /// Whether a part is to be run.
    pub fn includes(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }

    /// Whether the one part that takes long is to be run.
    pub fn soaks(&self) -> bool {
        self.only.as_deref() == Some("soak")
    }

    /// How long each rate is offered.
    pub fn offered(&self) -> Duration {
        if self.measure {
            Duration::from_secs_f64(self.seconds)
        } else {
            Duration::from_millis(200)
        }
    }

    /// How many rounds of each kind are made.
    pub fn rounds(&self) -> u32 {
        if self.measure { self.rounds } else { 1 }
    }

    /// How long one round lasts.
    pub fn length(&self, connections: usize) -> Length {
        if self.measure {
            Length::Time(Duration::from_secs_f64(self.seconds / f64::from(self.rounds)))
        } else {
            Length::Requests(TRIED.div_ceil(connections))
        }
    }

    /// How long the servers are warmed up before a measurement.
    pub fn warm_up(&self) -> Length {
        if self.measure { Length::Time(Duration::from_millis(500)) } else { Length::Requests(1) }
    }
}
