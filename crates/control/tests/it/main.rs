//! Stories over control: a temporary database and store, a provider in memory with real sockets, a clock that is moved by
//! hand. Every story ends with nothing half-way and nothing left behind, and does so with every single fault on its way.

#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod edge;
mod faults;
mod interleaved;
mod life;
mod paper;
mod quiet;
mod receivers;
mod seams;
mod telling;
mod world;

mod balancing;
mod building;
mod collecting;
mod deploying;
mod ending;
mod failing;
mod following;
mod living;
mod pulling;
mod refused;
mod reporting;
mod restarting;
mod secrets;
mod sleeping;
mod subscribing;
mod troubled;
mod watching;
