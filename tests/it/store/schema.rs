//! Tables made by the command.

use sqlx::{AssertSqlSafe, Connection};
use zipkind::storage::database_servers::{empty_postgres_database, mysql_database, mysql_texts};

use super::places::{done, run, told};

/// Prints without doing, does, and finds nothing more to do.
fn makes(address: &str, statement: &str, change: &str) {
    for _ in 0..2 {
        let said = done(&["migrate", "--dry-run", "--to", address]);
        assert!(said.contains(statement), "{said}");
    }
    let said = done(&["migrate", "--to", address]);
    assert!(said.contains(change), "{said}");
    for arguments in [vec!["migrate", "--to", address], vec!["migrate", "--dry-run", "--to", address]] {
        let said = done(&arguments);
        assert!(said.contains("has all tables of this version"), "{said}");
    }
}

#[test]
fn tables_are_made_by_the_command_and_printed_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", folder.path().join("new.db").display());
    makes(&file, "CREATE TABLE", "made version 1: fragments");
    makes(&empty_postgres_database(), "CREATE TABLE zipkind.fragment", "made version 1: fragments");
    let native = mysql_database("");
    makes(
        &format!("{native}?layout=native"),
        "CREATE TABLE IF NOT EXISTS zipkind_fragment",
        "made our own tables of spans",
    );
    let zipkin = mysql_database("");
    makes(&format!("{zipkin}?layout=zipkin"), "CREATE TABLE IF NOT EXISTS zipkin_spans", "made zipkin's tables");
    let of_zipkin = "SELECT CAST(table_name AS CHAR) FROM information_schema.tables WHERE table_schema = database()";
    let mut made = mysql_texts(&zipkin, of_zipkin);
    made.sort();
    assert_eq!(
        made,
        ["zipkin_annotations", "zipkin_dependencies", "zipkin_spans", "zipkind_lease", "zipkind_source_position"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_create_the_statement_to_run_is_named() {
    let owner = empty_postgres_database();
    let database = owner.rsplit('/').next().unwrap();
    let sql = format!(
        "CREATE ROLE reader_of_{database} LOGIN PASSWORD 'r'; GRANT CONNECT ON DATABASE {database} TO reader_of_{database}"
    );
    let mut connection = sqlx::PgConnection::connect(&owner).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    let (_, place) = owner.split_once('@').unwrap();
    let output = run(&["migrate", "--to", &format!("postgres://reader_of_{database}:r@{place}")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("CREATE SCHEMA zipkind AUTHORIZATION"), "{}", told(&output));

    let owner = mysql_database("");
    let database = owner.rsplit('/').next().unwrap();
    let sql = format!(
        "CREATE USER 'reader_{database}'@'127.0.0.1' IDENTIFIED BY 'r'; GRANT SELECT ON {database}.* TO 'reader_{database}'@'127.0.0.1'"
    );
    let mut connection = sqlx::MySqlConnection::connect(&owner).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    let (_, place) = owner.split_once('@').unwrap();
    let output = run(&["migrate", "--to", &format!("mysql://reader_{database}:r@{place}?layout=native")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("CREATE TABLE IF NOT EXISTS zipkind_source_position"), "{}", told(&output));
}

/// Who only reads needs no more rights than that.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_exported_by_a_user_who_may_only_read() {
    let tables = crate::support::zipkin_tables();
    let owner = mysql_database(&tables);
    let database = owner.rsplit('/').next().unwrap();
    let sql = format!(
        "INSERT INTO zipkin_spans (trace_id, id, name, start_ts) VALUES (7, 1, 'get', 1700000000000000); \
         CREATE USER 'export_{database}'@'127.0.0.1' IDENTIFIED BY 'r'; GRANT SELECT ON {database}.* TO 'export_{database}'@'127.0.0.1'"
    );
    let mut connection = sqlx::MySqlConnection::connect(&owner).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    let (_, place) = owner.split_once('@').unwrap();
    let said = done(&["export", "--from", &format!("mysql://export_{database}:r@{place}")]);
    let span = r#"{"traceId":"0000000000000007","id":"0000000000000001","name":"get","timestamp":1700000000000000}"#;
    assert_eq!(said, format!("[{span}]\n"));
}
