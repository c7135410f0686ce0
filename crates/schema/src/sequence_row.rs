//! The row of one sequence: where its next number stands.

use table::{Row, Store, Value};

use crate::catalog::Catalog;
use crate::contradiction::ContradictionKind;
use crate::error::Error;
use crate::sequence_id::SequenceId;
use crate::system_tables::SystemTableName;

/// The row of a sequence; `None` if there is none.
pub(crate) fn find<'a>(
    store: &'a Store,
    catalog: &Catalog,
    id: SequenceId,
) -> Result<Option<Row<'a>>, Error> {
    let known = catalog.require(SystemTableName::Sequence)?;
    Ok(known
        .rows_where(store, &[("sequence_id", Value::U32(id.0))])?
        .into_iter()
        .next())
}

/// The row of a sequence that belongs to no table, by name; `None` if there is none.
pub(crate) fn find_by_name<'a>(
    store: &'a Store,
    catalog: &Catalog,
    name: &str,
) -> Result<Option<Row<'a>>, Error> {
    let known = catalog.require(SystemTableName::Sequence)?;
    let cells = [
        ("table_id", Value::Null),
        ("sequence_name", Value::from(name)),
    ];
    Ok(known.rows_where(store, &cells)?.into_iter().next())
}

/// Refuses a row whose numbers contradict each other, or whose name another sequence without a table has.
pub(crate) fn check(store: &Store, catalog: &Catalog, id: SequenceId) -> Result<(), Error> {
    let known = catalog.require(SystemTableName::Sequence)?;
    let Some(row) = find(store, catalog, id)? else {
        return Ok(());
    };
    let wide = |column| known.cell(&row, column);
    let (next, start, step) = (wide("next_value")?, wide("start_value")?, wide("step")?);
    let (minimum, maximum) = (wide("minimum")?, wide("maximum")?);
    let in_bounds = |value: &Value| (&minimum..=&maximum).contains(&value);
    if step == Value::I128(0) || !in_bounds(&start) || !(next.is_null() || in_bounds(&next)) {
        return Err(known.contradiction(vec![Value::U32(id.0)], ContradictionKind::SequenceBounds));
    }
    let table = wide("table_id")?;
    if table.is_null() {
        let cells = [
            ("table_id", table),
            ("sequence_name", wide("sequence_name")?),
        ];
        if known.rows_where(store, &cells)?.len() > 1 {
            return Err(
                known.contradiction(vec![Value::U32(id.0)], ContradictionKind::SequenceName)
            );
        }
    }
    Ok(())
}
