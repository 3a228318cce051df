//! Searches as zipkin-server makes them: conditions on one row, and the newest by start.

use sqlx::mysql::{MySql, MySqlArguments};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Row};

use super::ZipkinTables;
use super::read::TraceKey;
use crate::model::{QueryRequest, SpanBatch};
use crate::storage::mysql::error::{NAME, during, rejected};
use crate::storage::{QueryBudget, StorageError};

/// A value of a condition.
pub(super) enum Value {
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl ZipkinTables {
    pub(super) async fn find_traces(
        &self,
        request: &QueryRequest,
        budget: &QueryBudget,
    ) -> Result<Vec<SpanBatch>, StorageError> {
        budget.spend(NAME, 0)?;
        if let (Some(name), false) = (&request.remote_service_name, self.schema.has_remote_service_name) {
            let reason =
                format!("remoteService={name} unsupported due to missing column zipkin_spans.remote_service_name");
            return Err(rejected("search", reason));
        }
        let names = [&request.service_name, &request.span_name, &request.remote_service_name];
        let mut texts = names.into_iter().flatten().chain(request.annotation_query.iter().map(|(key, _)| key));
        if !texts.all(|text| self.schema.can_hold(text)) {
            return Ok(Vec::new());
        }
        let (text, values) = self.statement(request);
        let query: Query<'_, MySql, MySqlArguments> = sqlx::query(AssertSqlSafe(text));
        let query = values.into_iter().fold(query, |query, value| match value {
            Value::Number(number) => query.bind(number),
            Value::Text(text) => query.bind(text),
            Value::Bytes(bytes) => query.bind(bytes),
        });
        let rows = query.fetch_all(&self.pool).await.map_err(during("search"))?;
        let keys: Result<Vec<TraceKey>, sqlx::Error> =
            rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect();
        self.traces_of(&keys.map_err(during("search"))?, budget).await
    }

    pub(super) fn statement(&self, request: &QueryRequest) -> (String, Vec<Value>) {
        let high = if self.by_low_half() { "CAST(0 AS SIGNED)" } else { "s.trace_id_high" };
        let mut text =
            format!("SELECT {high} AS high, s.trace_id FROM zipkin_spans AS s WHERE s.start_ts BETWEEN ? AND ?");
        let mut values = vec![
            Value::Number(request.start_ts_ms().saturating_mul(1000)),
            Value::Number(request.end_ts_ms.saturating_mul(1000)),
        ];
        let mut and = |condition: &str, bound: Vec<Value>| {
            text.push_str(" AND ");
            text.push_str(condition);
            values.extend(bound);
        };
        if let Some(name) = &request.span_name {
            and("s.name = ?", vec![Value::Text(name.clone())]);
        }
        if let Some(name) = &request.remote_service_name {
            and("s.remote_service_name = ?", vec![Value::Text(name.clone())]);
        }
        if let Some(least_us) = request.min_duration_us {
            let most_us = request.max_duration_us.unwrap_or(i64::MAX);
            and("s.duration BETWEEN ? AND ?", vec![Value::Number(least_us), Value::Number(most_us)]);
        }
        let join = if self.schema.has_trace_id_high {
            "a.trace_id_high = s.trace_id_high AND a.trace_id = s.trace_id AND a.span_id = s.id"
        } else {
            "a.trace_id = s.trace_id AND a.span_id = s.id"
        };
        let exists = |more: &str| format!("EXISTS (SELECT 1 FROM zipkin_annotations AS a WHERE {join}{more})");
        match &request.service_name {
            Some(name) => {
                and(&exists(" AND a.endpoint_service_name = ? AND a.a_type <> 0"), vec![Value::Text(name.clone())]);
            }
            // A span without any row of annotations is not found either.
            None => and(&exists(""), Vec::new()),
        }
        let service = request.service_name.as_ref();
        let of_service = if service.is_some() { " AND a.endpoint_service_name = ?" } else { "" };
        for (key, value) in &request.annotation_query {
            let mut bound = vec![Value::Text(key.clone())];
            let mut more = " AND a.a_key = ?".to_owned();
            if !value.is_empty() {
                more.push_str(" AND a.a_type = 6 AND a.a_value = ?");
                bound.push(Value::Bytes(value.clone().into_bytes()));
            }
            bound.extend(service.map(|name| Value::Text(name.clone())));
            and(&exists(&(more + of_service)), bound);
        }
        text.push_str(" GROUP BY high, s.trace_id ORDER BY max(s.start_ts) DESC, high, s.trace_id LIMIT ?");
        values.push(Value::Number(i64::try_from(request.limit).unwrap_or(i64::MAX)));
        (text, values)
    }
}
