//! Egress: what a sandbox may reach outside, decided by name and by address, and what it did reach.
//!
//! A sandbox has no interface but its own loopback. Inside its network namespace every outside TCP connection is
//! redirected to one listening socket and every DNS query to one UDP socket. Both are handed to the platform, which
//! serves them here, in its own network namespace: the resolver answers names the policy allows and remembers which
//! address it gave for which name; the copier decides about the *address that will be connected to* and copies bytes.
//!
//! Guards against: reaching the host's loopback and own addresses, private networks, cloud metadata and other
//! sandboxes; DNS rebinding (nothing is looked up twice); a sandbox that exhausts the platform's sockets or memory.
//! Does not know: who the sandbox belongs to, what is copied (no TLS is opened), where the sockets came from.

mod address;
mod allowance;
mod answer;
mod contact;
mod copier;
mod gateway;
#[cfg(any(test, fuzzing))]
pub(crate) mod hostile;
mod interfaces;
mod message;
mod policy;
mod rate;
mod registry;
mod relay;
mod resolver;
mod upstream;

pub use allowance::{Allowances, AllowedAddress, ParseAllowedAddressError};
pub use contact::{Contact, Refusal, Verdict};
pub use gateway::{Gateway, Traffic};
pub use policy::{Policy, Rules};
pub use registry::REGISTRIES;
