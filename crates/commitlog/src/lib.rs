//! Records in order, and an honest end: a segmented, chained write-ahead log.
