//! The threads of one log, in orders drawn by shuttle: nobody hangs, nobody is released too early, nobody sees what is not so, ids are gapless.
//!
//! Built and run with `RUSTFLAGS="--cfg shuttle"`, as `cargo xtask ci` does; empty otherwise. `CAIRN_SEEDS=N` tries N orders of each scenario.
//! A failure prints the schedule; `shuttle::replay` with the scenario and that text runs it again.
#![cfg(shuttle)]
#![allow(clippy::unwrap_used)]

mod background;
mod commits;
mod following;
mod scene;
#[path = "../support/hooked_dir.rs"]
mod hooked_dir;
