//! A moment of the heads of all tables that can be compared with later ones.

use std::sync::Arc;

use crate::cow_radix::CowRadix;
use crate::table::Table;

/// What the heads of the tables were when [`Store::heads_moment`](crate::Store::heads_moment) was called. Keeps no page.
#[derive(Clone, Debug)]
pub struct HeadsMoment(pub(crate) CowRadix<Arc<Table>>);
