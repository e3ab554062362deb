//! A bound on the work that one query may do.

/// How many more records a query may look at.
#[derive(Debug)]
pub struct Budget {
    left: u64,
}

impl Budget {
    /// A budget of so many records.
    pub fn new(limit: u64) -> Budget {
        Budget { left: limit }
    }

    /// Takes `n` from the budget.
    ///
    /// # Errors
    /// If less than `n` was left; then nothing is left.
    #[inline]
    pub fn spend(&mut self, n: u64) -> Result<(), Exhausted> {
        match self.left.checked_sub(n) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(Exhausted)
            }
        }
    }

    /// How much is left.
    pub fn left(&self) -> u64 {
        self.left
    }
}

/// The query would look at more records than it may, or its filter is nested deeper than [`crate::MAX_FILTER_DEPTH`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the query looks at more records than it may")]
pub struct Exhausted;
