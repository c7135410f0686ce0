//! `cairn digest`: a hash of the content.

use cairn::{ReadOptions, TxId};
use serde::Serialize;

use crate::cli::DigestOptions;
use crate::failure::Failure;
use crate::opening::{notes, open_state};
use crate::output::Output;

#[derive(Serialize)]
struct JsonDigest {
    digest: String,
    transaction: u64,
    /// What is no damage and still worth knowing.
    notes: Vec<String>,
}

/// Prints the digest of the newest state or an older one. Equal content gives equal digests.
///
/// # Errors
/// Damage, a log that does not reach back to the beginning where it is to be read alone, the output's.
pub(crate) fn digest(options: &DigestOptions, output: &mut Output) -> Result<(), Failure> {
    let read = ReadOptions {
        at: options.at.at.map(TxId),
        ignore_snapshots: options.log_only,
        ..ReadOptions::default()
    };
    let database = open_state(&options.dir, &read)?;
    let view = database.view();
    let digest = hex(&view.digest()?);
    if options.json.json {
        return output.json(&JsonDigest {
            digest,
            transaction: view.tx().0,
            notes: notes(database.report()),
        });
    }
    output.line(digest)
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
