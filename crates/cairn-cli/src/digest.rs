//! `cairn digest`: a hash of the content.

use cairn::{ReadOnlyDatabase, ReadOptions, TxId};
use serde::Serialize;

use crate::cli::DigestOptions;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Serialize)]
struct JsonDigest {
    digest: String,
    transaction: u64,
}

/// Prints the digest of the newest state or an older one. Equal content gives equal digests.
///
/// # Errors
/// Damage, the output's.
pub(crate) fn digest(options: &DigestOptions, output: &mut Output) -> Result<(), Failure> {
    let read = ReadOptions {
        at: options.at.at.map(TxId),
        ignore_snapshots: options.log_only,
        ..ReadOptions::default()
    };
    let database = ReadOnlyDatabase::open_with(&options.dir, &read)?;
    let view = database.view();
    let digest = hex(&view.digest()?);
    if options.json.json {
        return output.json(&JsonDigest {
            digest,
            transaction: view.tx().0,
        });
    }
    output.line(digest)
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
