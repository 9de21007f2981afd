//! A few rounds of the crash loop; `cargo xtask crash` runs hundreds.

use crate::crash_loop::{Kills, survive};

#[test]
fn what_serves_survives_kills_at_any_moment() {
    let kills = Kills {
        platform: 8,
        zygote: 3,
        init: 3,
        collection: 1,
        backup: 1,
    };
    let (done, _) = survive(7, kills);
    assert!(done > 0, "something was deployed");
}
