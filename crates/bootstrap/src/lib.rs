//! Open, commit, snapshot, close: the state machine that joins log, snapshots and tables.
