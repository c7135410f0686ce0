//! An embedded, in-memory, durable relational store.
