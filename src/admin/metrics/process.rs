//! Metrics of the process, from the operating system. Values that it does not provide are left out.

use std::fmt;

use procfs::process::{LimitValue, Process};

use super::families;
use super::output::Exposition;

pub(super) fn encode(exposition: &mut Exposition<'_, '_>) -> fmt::Result {
    let Ok(process) = Process::myself() else { return Ok(()) };
    let ticks = procfs::ticks_per_second() as f64;
    if let Ok(stat) = process.stat() {
        exposition.counter(&families::PROCESS_CPU)?.sample(&[], &((stat.utime + stat.stime) as f64 / ticks))?;
        exposition.gauge(&families::PROCESS_MEMORY)?.sample(&[], &(stat.rss * procfs::page_size()))?;
        exposition.gauge(&families::PROCESS_VIRTUAL_MEMORY)?.sample(&[], &stat.vsize)?;
        exposition.gauge(&families::PROCESS_THREADS)?.sample(&[], &stat.num_threads)?;
        if let Ok(boot) = procfs::boot_time_secs() {
            exposition.gauge(&families::PROCESS_START)?.sample(&[], &(boot as f64 + stat.starttime as f64 / ticks))?;
        }
    }
    if let Ok(count) = process.fd_count() {
        exposition.gauge(&families::PROCESS_OPEN_FDS)?.sample(&[], &count)?;
    }
    if let Ok(limits) = process.limits()
        && let LimitValue::Value(most) = limits.max_open_files.soft_limit
    {
        exposition.gauge(&families::PROCESS_MAX_FDS)?.sample(&[], &most)?;
    }
    Ok(())
}
