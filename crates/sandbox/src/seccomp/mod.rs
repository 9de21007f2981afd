//! Which system calls a program inside may make.
//!
//! Two filters: a list of what is allowed (the rest does not exist: ENOSYS, so libraries fall back), and on top of
//! it what is refused by its arguments or by name (EPERM). Guards against kernel interfaces that are not namespaced
//! (AF_VSOCK, keyrings, bpf) and against nested user namespaces, which would hand out capabilities again.
//! Foreign architectures are killed; x32 numbers are not on the list.

mod allowed;

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// TIOCSTI, TIOCLINUX, TIOCCONS: they type into the terminal of others or take over its output. TIOCSETD: it loads the
/// module of a line discipline.
const TERMINAL: [u64; 4] = [0x5412, 0x541c, 0x541d, 0x5423];
/// The rest of a socket's type is flags.
const TYPE_MASK: u64 = 0xf;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Both filters, compiled; in the order in which they are installed.
pub(crate) struct Filters([BpfProgram; 2]);

impl Filters {
    pub(crate) fn compile() -> Result<Filters, BackendError> {
        let arch: TargetArch = std::env::consts::ARCH.try_into()?;
        let allowed: Rules = allowed::SYSCALLS
            .iter()
            .map(|&number| (number, Vec::new()))
            .collect();
        let enosys = SeccompAction::Errno(libc::ENOSYS as u32);
        let eperm = SeccompAction::Errno(libc::EPERM as u32);
        let list = SeccompFilter::new(allowed, enosys, SeccompAction::Allow, arch)?;
        let refused = SeccompFilter::new(refused()?, SeccompAction::Allow, eperm, arch)?;
        Ok(Filters([list.try_into()?, refused.try_into()?]))
    }

    /// Installs both for this thread and everything it starts, for ever. The second one speaks first: the kernel
    /// takes the newest filter's error where two refuse.
    pub(crate) fn install(&self) -> Result<(), seccompiler::Error> {
        self.0
            .iter()
            .try_for_each(|filter| seccompiler::apply_filter(filter))
    }
}

fn refused() -> Result<Rules, BackendError> {
    let mut rules: Rules = allowed::REFUSED
        .iter()
        .map(|&number| (number, Vec::new()))
        .collect();
    let new_namespaces = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
    ];
    let clone = new_namespaces
        .iter()
        .map(|&flag| rule([(0, SeccompCmpOp::MaskedEq(flag as u64), flag as u64)]))
        .collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_clone, clone);
    rules.insert(libc::SYS_socket, sockets()?);
    let ioctl = TERMINAL
        .iter()
        .map(|&code| rule([(1, SeccompCmpOp::Eq, code)]))
        .collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_ioctl, ioctl);
    let personality = rule([(0, SeccompCmpOp::Ne, 0), (0, SeccompCmpOp::Ne, 0xffff_ffff)])?;
    rules.insert(libc::SYS_personality, vec![personality]);
    // Without root the init has the program's own user id, and could be limited to death by it.
    rules.insert(libc::SYS_prlimit64, vec![rule([(0, SeccompCmpOp::Ne, 0)])?]);
    Ok(rules)
}

/// Everything but UNIX, INET, INET6 and NETLINK; of the last only ROUTE, which `getaddrinfo` asks. Of INET only what the
/// kernel has at hand: asking for other types and protocols loads modules, which is how their faults are reached.
fn sockets() -> Result<Vec<SeccompRule>, BackendError> {
    let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    let others = families.map(|family| (0, SeccompCmpOp::Ne, family as u64));
    let netlink = (0, SeccompCmpOp::Eq, libc::AF_NETLINK as u64);
    let mut rules = vec![
        rule(others)?,
        rule([netlink, (2, SeccompCmpOp::Ne, libc::NETLINK_ROUTE as u64)])?,
    ];
    for family in [libc::AF_INET, libc::AF_INET6] {
        let inet = || (0, SeccompCmpOp::Eq, family as u64);
        let [any, icmp, tcp, udp, icmp_v6, mptcp] =
            [0, 1, 6, 17, 58, 262].map(|protocol| (2, SeccompCmpOp::Ne, protocol));
        rules.push(rule([inet(), any, icmp, tcp, udp, icmp_v6, mptcp])?);
        for kind in [libc::SOCK_RDM, libc::SOCK_SEQPACKET, libc::SOCK_DCCP] {
            rules.push(rule([
                inet(),
                (1, SeccompCmpOp::MaskedEq(TYPE_MASK), kind as u64),
            ])?);
        }
    }
    Ok(rules)
}

/// All conditions (argument, comparison, value) on the low 32 bits, which is what the kernel looks at here.
fn rule<const N: usize>(conditions: [(u8, SeccompCmpOp, u64); N]) -> Result<SeccompRule, BackendError> {
    let conditions = conditions
        .into_iter()
        .map(|(argument, operator, value)| {
            SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
        })
        .collect::<Result<Vec<_>, _>>()?;
    SeccompRule::new(conditions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_filters_compile_and_fit_the_kernel() {
        let filters = Filters::compile().unwrap();
        for filter in &filters.0 {
            assert!((1..4096).contains(&filter.len()), "{}", filter.len());
        }
    }

    #[test]
    fn what_must_never_work_is_on_no_list() {
        let never = [
            libc::SYS_clone3,
            libc::SYS_io_uring_setup,
            libc::SYS_io_uring_enter,
            libc::SYS_io_uring_register,
        ];
        for number in never.iter().chain(allowed::REFUSED) {
            assert!(!allowed::SYSCALLS.contains(number), "{number}");
        }
    }
}
