//! seccomp: system calls that the server never makes, and that attackers use, fail with EPERM.
//!
//! A list of what is refused breaks no server on a new kernel or C library; a list of what is
//! allowed would. The filter looks only at the number of a call, so the kernel keeps its decisions
//! in a bitmap and does not run it again.

use std::collections::BTreeMap;

use libc::{c_long, *};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter_all_threads};

/// Executing programs; other processes; mounts and namespaces; the kernel and its keys, its clock
/// and its tracing; interfaces with many past faults.
const REFUSED: &[c_long] = &[
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_pidfd_getfd,
    SYS_kcmp,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_setns,
    SYS_unshare,
    SYS_name_to_handle_at,
    SYS_open_by_handle_at,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_quotactl,
    SYS_syslog,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_personality,
];

/// Applies the filter to all threads.
pub(super) fn refuse() -> Result<(), String> {
    let program = program().map_err(|error| error.to_string())?;
    apply_filter_all_threads(&program).map_err(|error| error.to_string())
}

fn program() -> Result<BpfProgram, seccompiler::BackendError> {
    let rules: BTreeMap<i64, Vec<_>> = numbers().into_iter().map(|number| (number, Vec::new())).collect();
    let refused = SeccompAction::Errno(EPERM.unsigned_abs());
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, SeccompAction::Allow, refused, architecture)?.try_into()
}

/// On x86-64 the same calls have further numbers, those of the x32 ABI.
#[cfg(target_arch = "x86_64")]
fn numbers() -> Vec<i64> {
    const X32: i64 = 0x4000_0000;
    /// Calls with numbers of their own: execve, ptrace, kexec_load, process_vm_readv and -writev,
    /// execveat.
    const ONLY_X32: [i64; 6] = [520, 521, 528, 539, 540, 545];
    let same = REFUSED.iter().flat_map(|number| [*number, *number | X32]);
    same.chain([SYS_iopl, SYS_ioperm]).chain(ONLY_X32.map(|number| number | X32)).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn numbers() -> Vec<i64> {
    REFUSED.to_vec()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// The same filter for one thread, so that other tests can still execute programs.
    #[test]
    fn nothing_can_be_executed_and_the_process_lives() {
        let program = program().unwrap();
        let outcome = std::thread::spawn(move || {
            seccompiler::apply_filter(&program).unwrap();
            Command::new("true").status().map_err(|error| error.raw_os_error())
        });
        assert_eq!(outcome.join().unwrap().unwrap_err(), Some(EPERM));
        assert!(Command::new("true").status().unwrap().success());
    }
}
