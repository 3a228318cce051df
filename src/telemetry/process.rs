//! What the operating system knows about the process, read when metrics are asked for.
//!
//! Names are Prometheus' own (`process_*`) and those of zipkin's dashboards that mean something without a JVM.

use parking_lot::Mutex;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, Opts, Registry};

/// Registers the process and system families.
///
/// # Errors
/// When the registry has one of the names already.
pub fn register(registry: &Registry) -> Result<(), prometheus::Error> {
    let version = Opts::new("zipkind_build_info", "version of this server").const_label("version", VERSION);
    let version = Gauge::with_opts(version)?;
    version.set(1.0);
    registry.register(Box::new(version))?;
    registry.register(Box::new(ProcessCollector::new()?))
}

/// Version of this server.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// One look at the machine; what could not be read is zero.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    cpu_seconds: f64,
    start_seconds: f64,
    resident_bytes: f64,
    virtual_bytes: f64,
    threads: f64,
    open_fds: f64,
    max_fds: f64,
    load_1m: f64,
    cpus: f64,
    /// Seconds all processors were busy and in total, since the machine started.
    system_busy_seconds: f64,
    system_total_seconds: f64,
}

/// Gauges and counters that are set at each gathering.
#[derive(Debug)]
struct ProcessCollector {
    cpu_seconds: Counter,
    cpu_nanoseconds: Counter,
    start_seconds: Gauge,
    resident_bytes: Gauge,
    virtual_bytes: Gauge,
    threads: Gauge,
    open_fds: Gauge,
    max_fds: Gauge,
    load_1m: Gauge,
    cpus: Gauge,
    process_usage: Gauge,
    system_usage: Gauge,
    /// The reading before: usage is a share of the time between two gatherings.
    last: Mutex<Reading>,
}

impl ProcessCollector {
    fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            cpu_seconds: Counter::new("process_cpu_seconds_total", "user and system CPU time in seconds")?,
            cpu_nanoseconds: Counter::new("process_cpu_time_ns_total", "user and system CPU time in nanoseconds")?,
            start_seconds: Gauge::new("process_start_time_seconds", "start of the process, seconds since the epoch")?,
            resident_bytes: Gauge::new("process_resident_memory_bytes", "resident memory in bytes")?,
            virtual_bytes: Gauge::new("process_virtual_memory_bytes", "virtual memory in bytes")?,
            threads: Gauge::new("process_threads", "operating system threads")?,
            open_fds: Gauge::new("process_open_fds", "open file descriptors")?,
            max_fds: Gauge::new("process_max_fds", "most file descriptors the process may open")?,
            load_1m: Gauge::new("system_load_average_1m", "load average of the last minute")?,
            cpus: Gauge::new("system_cpu_count", "processors available to the process")?,
            process_usage: Gauge::new("process_cpu_usage", "recent CPU usage of the process, 0 to 1")?,
            system_usage: Gauge::new("system_cpu_usage", "recent CPU usage of the whole system, 0 to 1")?,
            last: Mutex::new(Reading::default()),
        })
    }

    fn parts(&self) -> [&dyn Collector; 12] {
        [
            &self.cpu_seconds,
            &self.cpu_nanoseconds,
            &self.start_seconds,
            &self.resident_bytes,
            &self.virtual_bytes,
            &self.threads,
            &self.open_fds,
            &self.max_fds,
            &self.load_1m,
            &self.cpus,
            &self.process_usage,
            &self.system_usage,
        ]
    }

    fn update(&self, last: &mut Reading) {
        let now = read();
        for (counter, total) in [(&self.cpu_seconds, now.cpu_seconds), (&self.cpu_nanoseconds, now.cpu_seconds * 1e9)] {
            counter.reset();
            counter.inc_by(total.max(0.0));
        }
        for (gauge, value) in [
            (&self.start_seconds, now.start_seconds),
            (&self.resident_bytes, now.resident_bytes),
            (&self.virtual_bytes, now.virtual_bytes),
            (&self.threads, now.threads),
            (&self.open_fds, now.open_fds),
            (&self.max_fds, now.max_fds),
            (&self.load_1m, now.load_1m),
            (&self.cpus, now.cpus),
        ] {
            gauge.set(value);
        }
        // Less than a tick has passed when two scrapers come at once: the usage of before still holds.
        let elapsed = now.system_total_seconds - last.system_total_seconds;
        if elapsed > 0.0 {
            self.process_usage.set(((now.cpu_seconds - last.cpu_seconds) / elapsed).clamp(0.0, 1.0));
            self.system_usage.set(((now.system_busy_seconds - last.system_busy_seconds) / elapsed).clamp(0.0, 1.0));
            *last = now;
        }
    }
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.parts().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // Held while gathering, so that two scrapes do not reset each other's counters.
        let mut last = self.last.lock();
        self.update(&mut last);
        self.parts().into_iter().flat_map(Collector::collect).collect()
    }
}

#[cfg(target_os = "linux")]
fn read() -> Reading {
    use procfs::{Current, CurrentSI};

    let ticks = procfs::ticks_per_second() as f64;
    let mut reading = Reading {
        cpus: std::thread::available_parallelism().map_or(0.0, |cpus| cpus.get() as f64),
        load_1m: procfs::LoadAverage::current().map_or(0.0, |load| f64::from(load.one)),
        ..Reading::default()
    };
    let kernel = procfs::KernelStats::current().ok();
    if let Some(cpu) = kernel.as_ref().map(|kernel| &kernel.total) {
        let busy = cpu.user + cpu.nice + cpu.system + cpu.irq.unwrap_or(0) + cpu.softirq.unwrap_or(0);
        reading.system_busy_seconds = busy as f64 / ticks;
        reading.system_total_seconds = (busy + cpu.idle + cpu.iowait.unwrap_or(0)) as f64 / ticks;
    }
    let Ok(process) = procfs::process::Process::myself() else { return reading };
    if let Ok(stat) = process.stat() {
        reading.cpu_seconds = (stat.utime + stat.stime) as f64 / ticks;
        reading.virtual_bytes = stat.vsize as f64;
        reading.resident_bytes = (stat.rss * procfs::page_size()) as f64;
        reading.threads = stat.num_threads as f64;
        let boot_seconds = kernel.map_or(0, |kernel| kernel.btime);
        reading.start_seconds = boot_seconds as f64 + stat.starttime as f64 / ticks;
    }
    reading.open_fds = process.fd_count().map_or(0.0, |count| count as f64);
    if let Ok(limits) = process.limits() {
        reading.max_fds = match limits.max_open_files.soft_limit {
            procfs::process::LimitValue::Value(most) => most as f64,
            procfs::process::LimitValue::Unlimited => f64::INFINITY,
        };
    }
    reading
}

#[cfg(not(target_os = "linux"))]
fn read() -> Reading {
    Reading { cpus: std::thread::available_parallelism().map_or(0.0, |cpus| cpus.get() as f64), ..Reading::default() }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_threads_and_files_of_this_process_are_reported() {
        let registry = Registry::new();
        register(&registry).unwrap();
        let value = |name: &str| {
            let families = registry.gather();
            let family = families.iter().find(|family| family.name() == name).unwrap();
            family.get_metric()[0].get_gauge().get_value()
        };
        assert!(value("process_resident_memory_bytes") > 1e6);
        assert!(value("process_threads") >= 1.0);
        assert!(value("process_open_fds") >= 3.0);
        assert!(value("process_start_time_seconds") > 1.6e9);
        assert!(value("system_cpu_count") >= 1.0);
        assert!((0.0..=1.0).contains(&value("process_cpu_usage")));
    }
}
