//! A story is told once as it is, and again with single faults: every one that can happen in it by `cargo xtask faults`,
//! and a fixed sample of them in the suite, because there are thousands.

use std::io::Write as _;
use std::pin::Pin;

use crate::faults::{Faults, How};
use crate::world::World;

/// A story over a fresh installation.
pub(crate) type Story = for<'a> fn(&'a mut World) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Makes a test of every story of a module.
macro_rules! told {
    ($($name:ident)*) => {
        mod told {
            $(#[test]
            fn $name() {
                crate::telling::tell(|world| Box::pin(super::$name(world)));
            })*
        }
    };
}
pub(crate) use told;

/// Makes two tests of every story of a module: as it is, and with a sample of its faults. `cargo xtask faults` takes all.
macro_rules! stories {
    ($($name:ident)*) => {
        #[allow(dead_code, reason = "only whoever tells them all asks for the list")]
        pub(crate) const STORIES: &[(&str, crate::telling::Story)] =
            &[$((stringify!($name), |world| Box::pin($name(world)))),*];

        crate::telling::told! { $($name)* }
        mod disturbed {
            $(#[test]
            fn $name() {
                let story: crate::telling::Story = |world| Box::pin(super::$name(world));
                crate::telling::disturb((stringify!($name), story), crate::telling::SAMPLE);
            })*
        }
    };
}
pub(crate) use stories;

/// Every which call of a story goes wrong in the suite. Prime to the number of ways, and begun elsewhere in every story:
/// calls that all stories make go wrong in one or the other.
pub(crate) const SAMPLE: usize = 19;

/// Tells it without a fault.
pub(crate) fn tell(story: Story) {
    run(story, Faults::none());
}

/// Tells it with one call after the other going wrong, in every way, until no call is left; only every `step`th call goes
/// wrong. Gives the number of faults.
pub(crate) fn disturb((name, story): (&'static str, Story), step: usize) -> u64 {
    let mut cases = [0; How::ALL.len()];
    for (index, how) in How::ALL.into_iter().enumerate() {
        let first = 1 + (name.len() + index * 2) % step;
        for nth in (first as u64..).step_by(step) {
            let faults = Faults::at(how, nth);
            let case = Case {
                name,
                how,
                nth,
                faults,
            };
            run(story, case.faults.clone());
            if case.faults.struck().is_none() {
                break;
            }
            cases[index] += 1;
        }
    }
    let total: u64 = cases.iter().sum();
    let counted: Vec<String> = How::ALL
        .into_iter()
        .zip(cases)
        .map(|(how, cases)| format!("{how:?} {cases}"))
        .collect();
    // Past the capture of the test: the number belongs to the result.
    let told = format!("{name}: {total} faults ({})\n", counted.join(", "));
    std::io::stderr().write_all(told.as_bytes()).unwrap();
    total
}

fn run(story: Story, faults: Faults) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut world = World::new(faults).await;
        story(&mut world).await;
        world.assert_quiet().await;
        world.end().await;
    });
}

/// Says which fault it was, where a story does not end well.
struct Case {
    name: &'static str,
    how: How,
    nth: u64,
    faults: Faults,
}

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self {
                name,
                how,
                nth,
                faults,
            } = self;
            eprintln!("{name} with {how:?} at {nth}: {:?}", faults.struck());
        }
    }
}
