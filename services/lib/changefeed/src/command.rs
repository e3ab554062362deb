//! What commands mean, without I/O: which records they need, what becomes of those, and what is wrong with them.
//!
//! [`prepare`] reads and normalises a command once. The store then loads everything that the prepared batch
//! [needs](needs::Needs) into a [`WorkingSet`](working_set::WorkingSet), and [`execute`](execute::execute) applies the batch
//! to it in order.

pub(crate) mod conceal;
mod effect;
pub(crate) mod execute;
mod form;
pub(crate) mod needs;
mod normalise;
pub(crate) mod one_way;
pub(crate) mod permit;
pub(crate) mod prepare;
pub(crate) mod provenance;
pub(crate) mod say;
pub(crate) mod working_set;

#[cfg(test)]
mod tests;
