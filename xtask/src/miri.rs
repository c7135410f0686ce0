//! `cargo xtask miri`: the tests over unsafe code, interpreted step by step.
//!
//! Miri follows no map of a file, so what `disk` maps is not part of it; the memory of pages is all of the rest. It needs a nightly
//! toolchain with the component `miri`, which the other chores do not, and takes some minutes.

use crate::Failure;
use crate::checkout::Checkout;
use crate::step::run_command;

/// Packages with unsafe code that can be interpreted, and the modules whose tests reach it.
const TARGETS: [(&str, &[&str]); 1] =
    [("table", &["chunk", "frames", "page_model", "stock_model"])];

/// Interprets them one package after the other.
///
/// # Errors
/// A missing toolchain, undefined behaviour, or a test that fails.
pub(crate) fn run(checkout: &Checkout) -> Result<(), Failure> {
    for (package, modules) in TARGETS {
        let mut command = checkout.nightly_cargo();
        command
            .args(["miri", "test", "-p", package, "--lib", "--"])
            .args(modules)
            // The tests' random numbers come from the system.
            .env("MIRIFLAGS", "-Zmiri-disable-isolation");
        run_command(&mut command)?;
    }
    Ok(())
}
