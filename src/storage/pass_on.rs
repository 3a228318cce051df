//! A store that wraps another and changes little: what it does not change, it passes on.

/// Writes [`SpanStore`](crate::storage::SpanStore) for a wrapper: every question goes to the store in that field.
#[macro_export]
macro_rules! pass_on_reads {
    ($wrapper:ty, $inner:ident) => {
        #[::async_trait::async_trait]
        impl $crate::storage::SpanStore for $wrapper {
            async fn search(
                &self,
                request: &$crate::model::QueryRequest,
                budget: &$crate::storage::QueryBudget,
            ) -> Result<Vec<$crate::model::SpanBatch>, $crate::storage::StorageError> {
                self.$inner.search(request, budget).await
            }

            async fn traces(
                &self,
                ids: &[$crate::model::TraceId],
                budget: &$crate::storage::QueryBudget,
            ) -> Result<Vec<$crate::model::SpanBatch>, $crate::storage::StorageError> {
                self.$inner.traces(ids, budget).await
            }

            async fn service_names(&self) -> Result<Vec<String>, $crate::storage::StorageError> {
                self.$inner.service_names().await
            }

            async fn span_names(&self, service: &str) -> Result<Vec<String>, $crate::storage::StorageError> {
                self.$inner.span_names(service).await
            }

            async fn remote_service_names(&self, service: &str) -> Result<Vec<String>, $crate::storage::StorageError> {
                self.$inner.remote_service_names(service).await
            }

            async fn autocomplete_values(&self, key: &str) -> Result<Vec<String>, $crate::storage::StorageError> {
                self.$inner.autocomplete_values(key).await
            }

            async fn dependencies(
                &self,
                end_ts_ms: i64,
                lookback_ms: i64,
                budget: &$crate::storage::QueryBudget,
            ) -> Result<Vec<$crate::model::DependencyLink>, $crate::storage::StorageError> {
                self.$inner.dependencies(end_ts_ms, lookback_ms, budget).await
            }

            async fn red(
                &self,
                request: &$crate::model::red::RedRequest,
                budget: &$crate::storage::QueryBudget,
            ) -> Result<$crate::model::red::RedAnswer, $crate::storage::StorageError> {
                self.$inner.red(request, budget).await
            }

            async fn scan(
                &self,
                request: &$crate::storage::ScanRequest,
            ) -> Result<$crate::storage::ScanPage, $crate::storage::StorageError> {
                self.$inner.scan(request).await
            }
        }
    };
}

/// Writes [`StorageBackend`](crate::storage::StorageBackend) for a wrapper: what it is called, can do and does at its end is said
/// in braces, all else goes to the store in that field.
#[macro_export]
macro_rules! pass_on_duties {
    ($wrapper:ty, $inner:ident, { $($own:tt)* }) => {
        #[::async_trait::async_trait]
        impl $crate::storage::StorageBackend for $wrapper {
            $($own)*

            async fn check(&self) -> Result<(), $crate::storage::StorageError> {
                self.$inner.check().await
            }

            async fn maintain(&self) -> Result<(), $crate::storage::StorageError> {
                self.$inner.maintain().await
            }

            async fn pin(
                &self,
                id: $crate::model::TraceId,
            ) -> Result<$crate::storage::PinnedTrace, $crate::storage::StorageError> {
                self.$inner.pin(id).await
            }

            async fn unpin(&self, id: $crate::model::TraceId) -> Result<bool, $crate::storage::StorageError> {
                self.$inner.unpin(id).await
            }

            async fn pinned(&self) -> Result<Vec<$crate::storage::PinnedTrace>, $crate::storage::StorageError> {
                self.$inner.pinned().await
            }
        }
    };
}
