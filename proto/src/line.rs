//! Rows as one line of text each.
