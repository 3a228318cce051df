//! A partition that gives nothing although it should, or ends before the position: noticed by asking the brokers. The first is
//! cured by joining the group anew; the second is another topic, of which nothing is stored.
//!
//! librdkafka goes on fetching with what it knew of a topic. When the topic is deleted and made again it may ask for a leader's
//! epoch that the new one never had, and get no answer it heeds. A consumer made anew starts with what is there, and compares
//! the message before the position, so that another topic is known as such.

use rdkafka::consumer::Consumer as _;

use super::super::metrics::Reposition;
use super::{CALL_TIMEOUT, Ended, PartitionTask, Stop};

/// Idle ticks after which the brokers are asked, and again after as many.
const LOOK_AFTER_TICKS: u32 = 10;

/// What idleness was found out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Idle {
    ticks: u32,
    /// The position at the last look, when messages stood behind it.
    behind: Option<i64>,
    /// The position at the last look, when the partition ended before it.
    beyond: Option<i64>,
}

impl Idle {
    /// Something came.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }
}

impl PartitionTask {
    /// To be called at each idle tick.
    pub(super) async fn look_for_stall(&mut self) -> Option<Ended> {
        self.idle.ticks += 1;
        if self.idle.ticks < LOOK_AFTER_TICKS || !self.under_way.is_empty() {
            return None;
        }
        self.idle.ticks = 0;
        let next = self.progress.next()?;
        let mut stop = self.stop.clone();
        let watermarks = tokio::select! {
            _ = stop.wait_for(|stop| *stop != Stop::No) => return None,
            watermarks = self.shared.prober.watermarks(&self.topic, self.partition, CALL_TIMEOUT) => watermarks,
        };
        // Brokers that are away are told of elsewhere.
        let (_, end) = watermarks.ok()?;
        // Messages may have come while the question was under way, and a leader that has just begun may not know the end yet: only
        // what is found twice counts.
        let stands = end > next && self.idle.behind == Some(next);
        let is_other = end < next && self.idle.beyond == Some(next);
        self.idle.behind = (end > next).then_some(next);
        self.idle.beyond = (end < next).then_some(next);
        if stands {
            tracing::warn!(
                topic = self.topic,
                partition = self.partition,
                next,
                end,
                "a partition gives nothing though it is not read to its end: the group is joined anew"
            );
            self.shared.metrics.repositioned(Reposition::Stalled);
            self.idle.end();
            self.member.context().break_off();
        }
        is_other.then(|| {
            self.idle.end();
            self.made_anew(next, end)
        })
    }
}
