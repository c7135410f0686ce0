//! The `cairn` command: reads the command line, carries out a verb, and ends with what came of it.

use std::env;
use std::process::ExitCode;

use cairn_cli::{Arguments, Exit, Failure, carry_out, complain};

fn main() -> ExitCode {
    let arguments = match Arguments::read(env::args_os()) {
        Ok(arguments) => arguments,
        Err(exit) => return exit.into(),
    };
    match carry_out(&arguments.verb) {
        Ok(()) => Exit::Fine.into(),
        Err(Failure::ClosedPipe) => Failure::ClosedPipe.exit().into(),
        Err(failure) => {
            complain(format_args!("error: {failure}"));
            failure.exit().into()
        }
    }
}
