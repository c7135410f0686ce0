//! Helpers shared by the tests that cross the layers.
