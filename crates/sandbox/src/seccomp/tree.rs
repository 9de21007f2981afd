//! One program out of verdicts by number: found by halving, not by asking for one number after the other.
//!
//! The kernel runs a new filter once for every system call there is, to remember those that are always allowed. A chain
//! of three hundred comparisons made that cost more than all namespaces of a sandbox together.

use seccompiler::{BpfProgram, sock_filter};

/// What is said of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Return this to the kernel, whatever the arguments.
    Plain(u32),
    /// The program behind the tree looks at the arguments.
    Asked,
}

const LOAD_WORD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// The native one's `AUDIT_ARCH_*`.
#[cfg(target_arch = "x86_64")]
pub(super) const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
pub(super) const NATIVE: u32 = 0xc000_00b7;

/// `starts` are the first numbers of ranges, ascending from 0, each with the verdict up to the next; the last one goes on
/// for ever. `asked` is a whole program of its own.
pub(super) fn compile(starts: &[(u32, Verdict)], asked: &[sock_filter]) -> BpfProgram {
    let mut program = vec![
        step(LOAD_WORD, ARCHITECTURE),
        jump(JUMP_EQUAL, NATIVE, (1, 0)),
        step(RETURN, libc::SECCOMP_RET_KILL_PROCESS),
        step(LOAD_WORD, NUMBER),
    ];
    program.extend(halve(starts, 0));
    program.extend_from_slice(asked);
    program
}

/// The tree over `starts`, with `behind` instructions between its end and the program for arguments.
fn halve(starts: &[(u32, Verdict)], behind: usize) -> BpfProgram {
    match starts {
        [] => Vec::new(),
        [(_, Verdict::Plain(value))] => vec![step(RETURN, *value)],
        [(_, Verdict::Asked)] => vec![step(JUMP, distance(behind))],
        _ => {
            let (below, above) = starts.split_at(starts.len() / 2);
            let right = halve(above, behind);
            let left = halve(below, behind + right.len());
            let mut tree = match u8::try_from(left.len()) {
                Ok(over) => vec![jump(JUMP_AT_LEAST, above[0].0, (over, 0))],
                // A comparison jumps no further than a byte says.
                Err(_) => vec![
                    jump(JUMP_AT_LEAST, above[0].0, (0, 1)),
                    step(JUMP, distance(left.len())),
                ],
            };
            tree.extend(left);
            tree.extend(right);
            tree
        }
    }
}

/// The kernel refuses programs of more than 4096 instructions, so a longer jump than fits is never taken.
fn distance(instructions: usize) -> u32 {
    u32::try_from(instructions).unwrap_or(u32::MAX)
}

fn step(code: u16, k: u32) -> sock_filter {
    jump(code, k, (0, 0))
}

fn jump(code: u16, k: u32, (jt, jf): (u8, u8)) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the kernel would be told: number, architecture and the low halves of the arguments.
    pub(crate) fn run(
        program: &[sock_filter],
        (number, architecture): (u32, u32),
        arguments: [u32; 6],
    ) -> u32 {
        let (mut at, mut word) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let mut branch = |taken: bool| at += usize::from(if taken { jt } else { jf });
            match code {
                LOAD_WORD => {
                    word = match k {
                        NUMBER => number,
                        ARCHITECTURE => architecture,
                        offset => arguments[(offset as usize - 16) / 8],
                    }
                }
                JUMP => at += k as usize,
                JUMP_EQUAL => branch(word == k),
                JUMP_AT_LEAST => branch(word >= k),
                0x25 => branch(word > k),
                0x54 => word &= k,
                RETURN => return k,
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    proptest! {
        #[test]
        fn every_number_gets_the_verdict_of_its_range(
            ranges in proptest::collection::btree_map(1..2000u32, 0..5u32, 0..400),
            number in 0..2100u32,
        ) {
            let verdict = |of: u32| if of == 4 { Verdict::Asked } else { Verdict::Plain(of) };
            let mut starts = vec![(0, Verdict::Plain(9))];
            starts.extend(ranges.iter().map(|(start, of)| (*start, verdict(*of))));
            let program = compile(&starts, &[step(RETURN, 4)]);
            let expected = ranges.range(..=number).next_back().map_or(9, |(_, of)| *of);
            prop_assert_eq!(run(&program, (number, NATIVE), [0; 6]), expected);
            prop_assert_eq!(run(&program, (number, 0x4000_0003), [0; 6]), libc::SECCOMP_RET_KILL_PROCESS);
        }
    }
}
