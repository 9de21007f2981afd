//! Which system calls a program inside may make.
//!
//! A list of what is allowed (the rest does not exist: ENOSYS, so libraries fall back), less what is refused by its
//! arguments or by name (EPERM). Guards against kernel interfaces that are not namespaced (AF_VSOCK, keyrings, bpf) and
//! against nested user namespaces, which would hand out capabilities again. Foreign architectures are killed; x32
//! numbers are not on the list.

mod allowed;
mod tree;

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use tree::Verdict;

/// TIOCSTI, TIOCLINUX, TIOCCONS: they type into the terminal of others or take over its output. TIOCSETD: it loads the
/// module of a line discipline.
const TERMINAL: [u64; 4] = [0x5412, 0x541c, 0x541d, 0x5423];
/// The rest of a socket's type is flags.
const TYPE_MASK: u64 = 0xf;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The filter, compiled once for all sandboxes.
pub(crate) struct Filter(BpfProgram);

impl Filter {
    pub(crate) fn compile() -> Result<Filter, BackendError> {
        let rules = by_arguments()?;
        let starts = ranges(&rules);
        let arch: TargetArch = std::env::consts::ARCH.try_into()?;
        let asked = SeccompFilter::new(rules, SeccompAction::Allow, errno(libc::EPERM), arch)?;
        let asked: BpfProgram = asked.try_into()?;
        Ok(Filter(tree::compile(&starts, &asked)))
    }

    /// Installs it for this thread and everything it starts, for ever.
    pub(crate) fn install(&self) -> Result<(), seccompiler::Error> {
        seccompiler::apply_filter(&self.0)
    }
}

fn errno(number: i32) -> SeccompAction {
    SeccompAction::Errno(number.unsigned_abs())
}

/// The verdicts by number, as ranges: neighbours that get the same one are one range.
fn ranges(rules: &Rules) -> Vec<(u32, Verdict)> {
    let absent = Verdict::Plain(errno(libc::ENOSYS).into());
    let mut named = BTreeMap::new();
    let mut name = |numbers: &[i64], verdict| {
        let numbers = numbers.iter().filter_map(|&number| u32::try_from(number).ok());
        named.extend(numbers.map(|number| (number, verdict)));
    };
    name(allowed::SYSCALLS, Verdict::Plain(SeccompAction::Allow.into()));
    name(&rules.keys().copied().collect::<Vec<_>>(), Verdict::Asked);
    name(allowed::REFUSED, Verdict::Plain(errno(libc::EPERM).into()));
    let mut starts = Vec::new();
    let mut next = 0;
    for (number, verdict) in named {
        if number > next {
            starts.push((next, absent));
        }
        starts.push((number, verdict));
        next = number + 1;
    }
    starts.push((next, absent));
    starts.dedup_by_key(|(_, verdict)| *verdict);
    starts
}

/// What is allowed but for certain arguments.
fn by_arguments() -> Result<Rules, BackendError> {
    let mut rules = Rules::new();
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
    fn it_fits_the_kernel_and_finds_each_number_quickly() {
        let filter = Filter::compile().unwrap();
        assert!((1..4096).contains(&filter.0.len()), "{}", filter.0.len());
        assert!(ranges(&by_arguments().unwrap()).len() < 200);
    }

    /// The same lists, said the plain way: one filter of what is allowed, and on top of it one of what is refused.
    fn plainly() -> [BpfProgram; 2] {
        let arch: TargetArch = std::env::consts::ARCH.try_into().unwrap();
        let all = |numbers: &[i64]| {
            numbers
                .iter()
                .map(|&number| (number, Vec::new()))
                .collect::<Rules>()
        };
        let mut refused = all(allowed::REFUSED);
        refused.extend(by_arguments().unwrap());
        let compiled = |rules, otherwise, matched| {
            let filter = SeccompFilter::new(rules, otherwise, matched, arch).unwrap();
            filter.try_into().unwrap()
        };
        let allow = || SeccompAction::Allow;
        [
            compiled(all(allowed::SYSCALLS), errno(libc::ENOSYS), allow()),
            compiled(refused, allow(), errno(libc::EPERM)),
        ]
    }

    #[test]
    fn it_says_what_the_lists_say_of_every_number() {
        let filter = Filter::compile().unwrap();
        let [list, refused] = plainly();
        let expected = |call, arguments| match tree::tests::run(&refused, call, arguments) {
            libc::SECCOMP_RET_ALLOW => tree::tests::run(&list, call, arguments),
            refusal => refusal,
        };
        const X32: u32 = 1 << 30;
        let values = [
            0,
            1,
            2,
            3,
            6,
            10,
            16,
            17,
            40,
            58,
            262,
            0x5412,
            0x5423,
            0x1000_0000,
            u32::MAX,
        ];
        let rules = by_arguments().unwrap();
        let same = |number, arguments| {
            let call = (number, tree::NATIVE);
            let said = tree::tests::run(&filter.0, call, arguments);
            assert_eq!(said, expected(call, arguments), "{number} {arguments:x?}");
        };
        let natives = (0..1100).chain([u32::MAX - 1, u32::MAX]);
        for number in natives.chain((0..1100).map(|number| number | X32)) {
            same(number, [0; 6]);
            if !rules.contains_key(&number.into()) {
                continue;
            }
            for first in values {
                for second in values {
                    for third in values {
                        same(number, [first, second, third, 0, 0, 0]);
                    }
                }
            }
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
