//! Who may see the pages, and who may press their buttons.
//!
//! - `viewer`: the person in front of a page, and the role

mod viewer;

pub(super) use viewer::{Role, Viewer};
