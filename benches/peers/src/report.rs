//! What is printed: who takes part and how, one table, and why a cell is empty.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets::ASCII_MARKDOWN};

use crate::comparison::Comparison;
use crate::rival::Rival;

/// The versions that are built in.
const LOCK: &str = include_str!("../Cargo.lock");

/// Says who takes part, in which version, and with which settings.
pub(crate) fn print_settings(everybody: &[&dyn Rival]) {
    for rival in everybody {
        let version = rival.package().map(version).unwrap_or_default();
        println!("- {}{version}: {}", rival.name(), rival.settings());
    }
    println!();
}

/// The version of a package of others; the newest where there are several.
fn version(package: &str) -> String {
    let name = format!("name = \"{package}\"");
    LOCK.split("[[package]]")
        .filter(|block| block.lines().any(|line| line == name) && block.contains("source = "))
        .filter_map(|block| {
            block
                .lines()
                .find_map(|line| line.strip_prefix("version = "))
        })
        .map(|version| format!(" {}", version.trim_matches('"')))
        .last()
        .unwrap_or_default()
}

/// Prints all that was compared, one line each.
pub(crate) fn print_table(rivals: &[Box<dyn Rival>], comparisons: &[Comparison], rounds: usize) {
    let mut table = Table::new();
    table
        .load_preset(ASCII_MARKDOWN)
        .set_content_arrangement(ContentArrangement::Disabled);
    let mut header = ["work", "bound", "bound, each"].map(str::to_owned).to_vec();
    header.extend(rivals.iter().map(|rival| rival.name().to_owned()));
    table.set_header(header);
    for comparison in comparisons {
        let mut row = vec![
            comparison.work.name(),
            comparison.bound.to_owned(),
            shown_time(comparison.bound_ns),
        ];
        row.extend(comparison.speeds.iter().map(|speed| match speed {
            Ok(speed) => format!(
                "{} ({}-{})",
                shown(speed.median),
                shown(speed.lowest),
                shown(speed.highest)
            ),
            Err(_) => "-".to_owned(),
        }));
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    println!();
    println!(
        "Speed relative to the bound in the same round: 1 is as fast, more is faster. Median and range of {rounds} rounds."
    );
    print_legend(rivals, comparisons);
}

fn print_legend(rivals: &[Box<dyn Rival>], comparisons: &[Comparison]) {
    for (place, rival) in rivals.iter().enumerate() {
        let mut reasons: Vec<&str> = comparisons
            .iter()
            .filter_map(|comparison| comparison.speeds[place].as_ref().err().copied())
            .collect();
        reasons.dedup();
        for reason in reasons {
            println!("- {}, -: {reason}.", rival.name());
        }
        if let Some(note) = rival.replay_note() {
            println!("- {}, replay: {note}.", rival.name());
        }
    }
}

fn shown(ratio: f64) -> String {
    match ratio {
        _ if ratio < 0.1 => format!("{ratio:.3}"),
        _ if ratio < 10.0 => format!("{ratio:.2}"),
        _ => format!("{ratio:.0}"),
    }
}

fn shown_time(nanoseconds: f64) -> String {
    if nanoseconds < 1000.0 {
        format!("{nanoseconds:.1} ns")
    } else {
        format!("{:.1} us", nanoseconds / 1000.0)
    }
}
