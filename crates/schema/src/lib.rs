//! A catalog that is rows like any other.
