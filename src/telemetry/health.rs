//! Parts that can be up or down, as `/health` lists them.

use async_trait::async_trait;

/// A part of the process whose state `/health` shows: the store, a collector with an address.
#[async_trait]
pub trait HealthComponent: Send + Sync {
    /// Name in the list (`KafkaCollector{bootstrapServers=..., topic=...}`).
    fn name(&self) -> String;

    /// Looks whether the part works now. Called for each request, within its time limit.
    ///
    /// # Errors
    /// What is wrong, for people; shown to whoever asks.
    async fn check(&self) -> Result<(), String>;

    /// What someone should know of a part that is up.
    fn note(&self) -> Option<String> {
        None
    }
}
