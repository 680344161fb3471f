//! How urgent hashing is beside all else that the machine does.

/// Which of the waiting jobs a worker takes, and how urgent it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// What a usual day brings. It gives way, but keeps a share of a machine that others
    /// keep busy.
    Usual,
    /// What strangers bring in a flood. It has what all others leave, and rests.
    Flood,
}

impl Urgency {
    pub(super) const ALL: [Self; 2] = [Self::Usual, Self::Flood];

    /// The name of a worker's thread, at most 15 bytes as Linux wants it.
    pub(super) fn name(self, number: usize) -> String {
        match self {
            Self::Usual => format!("argon2-{number}"),
            Self::Flood => format!("argon2-flood-{number}"),
        }
    }

    /// How long a worker rests after a job, as a multiple of what it took.
    pub(super) const fn rest(self) -> u32 {
        match self {
            Self::Usual => 0,
            Self::Flood => 3,
        }
    }

    /// Makes the calling thread as urgent as that: a hash takes a processor for tens of
    /// milliseconds, and a decision that comes meanwhile is not to wait for it. Where that
    /// is refused, hashing goes on as urgent as all else.
    pub(super) fn take_on(self) {
        #[cfg(target_os = "linux")]
        linux::take_on(self);
    }
}

#[cfg(target_os = "linux")]
pub(super) mod linux {
    use thread_priority::{
        NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
        set_thread_priority_and_policy, thread_native_id,
    };

    use super::Urgency;

    /// How much a hashing thread gives way to the others, 0 to 19.
    pub(in crate::hasher) const NICE: i32 = 10;

    /// However nice a thread is, the kernel may let it run on to its next tick, some 4 ms
    /// away, while another waits. One of the class for idle times stops as soon as another
    /// wakes; but it has next to nothing of a machine that is busy, so it is for a flood.
    ///
    /// # Source
    /// setpriority(2): `who` 0 is the calling thread, for on Linux each has a nice value of
    /// its own; elsewhere it would be the whole process. sched(7), `SCHED_IDLE`.
    pub(super) fn take_on(urgency: Urgency) {
        if urgency == Urgency::Flood {
            let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
            match set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
                Ok(()) => return,
                Err(error) => tracing::debug!(?error, "no class for idle times"),
            }
        }
        if let Err(error) = rustix::process::setpriority_process(None, NICE) {
            tracing::debug!(%error, "the hashing threads are as urgent as all others");
        }
    }
}
