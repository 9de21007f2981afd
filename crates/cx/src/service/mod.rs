//! The platform as a service of systemd: its unit, and where that lies.

mod unit;

pub(crate) use unit::{Unit, Whose};
