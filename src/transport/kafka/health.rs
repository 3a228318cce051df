//! What `/health` says of Kafka, and the look-out for members that keep their spans elsewhere.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Shared;
use crate::telemetry::HealthComponent;

/// How long brokers may take to answer, as in zipkin.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// How often the group's members are counted.
const MEMBERS_INTERVAL: Duration = Duration::from_secs(15);
/// How long that question may take.
const MEMBERS_TIMEOUT: Duration = Duration::from_secs(5);

/// The collector as a component.
pub(super) struct KafkaHealth {
    pub(super) shared: Arc<Shared>,
}

#[async_trait]
impl HealthComponent for KafkaHealth {
    fn name(&self) -> String {
        let config = &self.shared.config;
        format!(
            "KafkaCollector{{bootstrapServers={}, topic={}}}",
            config.bootstrap_servers,
            config.all_topics().join(",")
        )
    }

    async fn check(&self) -> Result<(), String> {
        let topics = self.shared.config.all_topics();
        let topic = topics.first().copied().unwrap_or_default();
        if let Err(error) = self.shared.prober.is_reachable(topic, ANSWER_TIMEOUT).await {
            return Err(format!("the brokers do not answer: {error}"));
        }
        match &self.shared.state.lock().stream_error {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    fn note(&self) -> Option<String> {
        let others = self.shared.state.lock().other_members;
        (others > 0).then(|| other_members_message(others))
    }
}

fn other_members_message(others: usize) -> String {
    format!(
        "{others} other members are in this group and keep their spans in stores of their own: no store has all spans"
    )
}

/// Counts the group's members again and again.
pub(super) async fn watch_members_forever(shared: Arc<Shared>) {
    loop {
        // Members before this process's own have joined are not counted as others: the count is a lower bound.
        if let Ok(members) = shared.prober.member_count(&shared.config.group_id, MEMBERS_TIMEOUT).await {
            let others = members.saturating_sub(shared.config.streams);
            let known = std::mem::replace(&mut shared.state.lock().other_members, others);
            shared.metrics.other_members.set(others as i64);
            if others > known {
                tracing::warn!(others, "{}", other_members_message(others));
            }
        }
        tokio::time::sleep(MEMBERS_INTERVAL).await;
    }
}
