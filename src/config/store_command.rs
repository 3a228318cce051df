//! `zipkind store ...` as it is typed.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::store_address::StoreAddress;

/// How stores are named; printed under the help of each command that takes an address.
pub(super) const ADDRESSES: &str = "\
Addresses:
  sqlite:PATH                              a file that ends in .db, or the folder of zipkind.db
  postgres://USER:PASSWORD@HOST/DATABASE
  mysql://USER:PASSWORD@HOST/DATABASE      with ?layout=zipkin or ?layout=native; without it the tables decide
Without an address the configured store is meant (STORAGE_TYPE and what belongs to it), so that no password is typed.";

/// What can be done with stores from the command line.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum StoreCommand {
    /// Print figures of the SQLite database: blocks, spans, bytes. Also while a server has it open.
    Stats,
    /// Read all of the SQLite database, verify checksums, derive views anew and compare; status 1 when something is wrong.
    Check,
    /// Write a copy of the SQLite database to a file that does not exist.
    Backup {
        /// The new file.
        file: PathBuf,
    },
    /// Print all spans as JSON lines: a list of spans a line, a trace or a part of one, as POST /api/v2/spans takes them.
    #[command(after_help = ADDRESSES)]
    Export(ExportArguments),
    /// Store spans from JSON lines: in each line a span, or a list of spans, of Zipkin's v2; gzip is noticed. A bad line is
    /// named and left out. Spans that are there already are not doubled. Status 1 when something was left out.
    #[command(after_help = ADDRESSES)]
    Import(ImportArguments),
    /// Copy spans from one store into another. When it is interrupted, the same command goes on where it was; done
    /// again, it changes nothing. Every span that a run copies is read back. Status 1 when one is missing.
    #[command(after_help = ADDRESSES)]
    Copy(CopyArguments),
    /// Make the tables, or bring them to this version, and say what was done. Needs the right to create them; without it the
    /// statement to run is named.
    #[command(after_help = ADDRESSES)]
    Migrate(MigrateArguments),
}

/// Which traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub struct WindowArguments {
    /// Only traces with a span that began then or later: a time (2026-01-31, 2026-01-31T12:00:00Z), or how long ago (7d, 12h).
    #[arg(long, value_name = "TIME")]
    pub since: Option<TimeBound>,
    /// Only traces with a span that began then or before.
    #[arg(long, value_name = "TIME")]
    pub until: Option<TimeBound>,
}

impl WindowArguments {
    /// First and last millisecond; `None` without limits.
    #[must_use]
    pub fn window_ms(&self, now_ms: i64) -> Option<(i64, i64)> {
        let ms = |bound: Option<TimeBound>, none| bound.map_or(none, |bound| bound.ms(now_ms));
        (*self != Self::default()).then(|| (ms(self.since, 0), ms(self.until, i64::MAX / 1_000)))
    }
}

/// For `export`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ExportArguments {
    /// Address of the store [default: the configured one].
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<StoreAddress>,
    /// Which traces.
    #[command(flatten)]
    pub window: WindowArguments,
}

/// For `import`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ImportArguments {
    /// The file, or - for standard input.
    pub file: PathBuf,
    /// Address of the store [default: the configured one].
    #[arg(long, value_name = "ADDRESS")]
    pub to: Option<StoreAddress>,
}

/// For `copy`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[group(id = "stores", required = true, multiple = true, args = ["from", "to"])]
pub struct CopyArguments {
    /// Address of the store that is read [default: the configured one].
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<StoreAddress>,
    /// Address of the store that is written [default: the configured one].
    #[arg(long, value_name = "ADDRESS")]
    pub to: Option<StoreAddress>,
    /// Which traces.
    #[command(flatten)]
    pub window: WindowArguments,
    /// Begin anew, whatever an interrupted copy has done.
    #[arg(long)]
    pub restart: bool,
    /// Do not read the spans back.
    #[arg(long)]
    pub no_check: bool,
}

/// For `migrate`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct MigrateArguments {
    /// Address of the store [default: the configured one].
    #[arg(long, value_name = "ADDRESS")]
    pub to: Option<StoreAddress>,
    /// Change nothing: print the statements.
    #[arg(long)]
    pub dry_run: bool,
}

/// A time on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeBound {
    /// Epoch milliseconds.
    At(i64),
    /// So long ago.
    Ago(Duration),
}

impl TimeBound {
    fn ms(self, now_ms: i64) -> i64 {
        match self {
            Self::At(ms) => ms,
            Self::Ago(age) => now_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)),
        }
    }
}

impl FromStr for TimeBound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let whole = if text.len() == "2026-01-31".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
        if let Ok(time) = humantime::parse_rfc3339_weak(&whole) {
            let since = time.duration_since(std::time::UNIX_EPOCH).map_err(|_| "is before 1970".to_owned())?;
            return i64::try_from(since.as_millis()).map(Self::At).map_err(|error| error.to_string());
        }
        let age = humantime::parse_duration(text);
        age.map(Self::Ago).map_err(|_| "neither a time like 2026-01-31T12:00:00Z nor an age like 7d".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_days_times_and_ages() {
        let now_ms = 10 * 86_400_000;
        for (text, ms) in [
            ("1970-01-03", 2 * 86_400_000),
            ("1970-01-01T00:00:02Z", 2_000),
            ("1970-01-01 00:00:02.5", 2_500),
            ("7d", 3 * 86_400_000),
            ("30d", -20 * 86_400_000),
        ] {
            assert_eq!(text.parse::<TimeBound>().map(|bound| bound.ms(now_ms)), Ok(ms), "{text}");
        }
        for text in ["", "soon", "2026-13-01", "17"] {
            assert!(text.parse::<TimeBound>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_window_needs_one_bound() {
        assert_eq!(WindowArguments::default().window_ms(5), None);
        let since = WindowArguments { since: Some(TimeBound::At(3)), until: None };
        assert_eq!(since.window_ms(5), Some((3, i64::MAX / 1_000)));
        let until = WindowArguments { since: None, until: Some(TimeBound::Ago(Duration::from_millis(2))) };
        assert_eq!(until.window_ms(5), Some((0, 3)));
    }

    #[test]
    fn the_help_of_a_command_tells_how_stores_are_named() {
        for command in ["export", "import", "copy", "migrate"] {
            let arguments = ["zipkind", "store", command, "--help"].map(std::ffi::OsString::from);
            let help = crate::config::CommandLine::parse(arguments).unwrap_err().to_string();
            assert!(help.contains("sqlite:PATH") && help.contains("layout=zipkin"), "{help}");
        }
    }
}
