//! Rows in pages, indexes, and views that never move.
