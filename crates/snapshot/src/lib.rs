//! A whole state, complete or absent: content-addressed pages in packs under one manifest.
