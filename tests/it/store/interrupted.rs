//! Copies that are killed.

use std::process::{Command, Stdio};
use std::time::Duration;

use zipkind::storage::StorageBackend;
use zipkind::storage::database_servers::mysql_texts;

use super::places::{Kind, Place, done, scanned};
use super::spans::{Texts, messages};

/// How often it is killed, each time after another page at the earliest; then it may come to its end.
const KILLS: usize = 4;

fn command(from: &Place, to: &Place) -> Command {
    let mut command = crate::binary::zipkind(from.folder(), &[]);
    command.args(["store", "copy", "--from", &from.address, "--to", &to.address]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

async fn spans_in(store: &dyn StorageBackend) -> usize {
    scanned(store).await.iter().map(zipkind::model::SpanBatch::len).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_again_and_again_ends_as_one_that_is_not() {
    let from = Place::new(Kind::Postgres);
    from.fill(&messages(5, 2_000, Texts::Plain)).await;
    let whole = Place::new(Kind::Native);
    done(&["copy", "--from", &from.address, "--to", &whole.address]);
    let killed = Place::new(Kind::Native);
    done(&["migrate", "--to", &killed.address]);
    let store = killed.open().await;
    let mut before = 0;
    for run in 0..=KILLS {
        let mut process = command(&from, &killed).spawn().unwrap();
        let ended = loop {
            if let Some(status) = process.try_wait().unwrap() {
                break Some(status);
            }
            if run < KILLS {
                let now = spans_in(&*store).await;
                if now > before {
                    before = now;
                    break None;
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        if let Some(status) = ended {
            assert!(status.success(), "run {run} failed");
            break;
        }
        process.kill().unwrap();
        process.wait().unwrap();
    }
    store.close().await;
    assert_eq!(killed.answers().await, whole.answers().await);
    for table in ["zipkind_fragment", "zipkind_service_traces"] {
        let sql = format!("SELECT CAST(count(*) AS CHAR) FROM {table}");
        assert_eq!(mysql_texts(killed.database_url(), &sql), mysql_texts(whole.database_url(), &sql), "{table}");
    }
}
