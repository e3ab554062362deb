//! Statements that come in few sizes. A connection keeps statements prepared by their text; were there a text for each number
//! of rows, it would keep none for long.

use sea_orm::sea_query::{LockType, SelectStatement};

use super::Dialect;

/// The most values in one list; below the parameter limit of SQLite, which is 32,766.
const LIST_LIMIT: usize = 4096;
/// How many rows one statement writes.
const ROW_SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// Cuts a list for `IN` into pieces and fills each up, by repeating its last value, to a power of two.
pub(super) fn lists<T: Clone>(values: impl IntoIterator<Item = T>) -> Vec<Vec<T>> {
    let mut lists = Vec::new();
    let mut values = values.into_iter().peekable();
    while values.peek().is_some() {
        let mut list: Vec<T> = values.by_ref().take(LIST_LIMIT).collect();
        if let Some(last) = list.last().cloned() {
            list.resize(list.len().next_power_of_two(), last);
        }
        lists.push(list);
    }
    lists
}

/// Cuts rows into pieces of few sizes.
pub(super) fn row_pieces<T>(rows: &[T]) -> Vec<&[T]> {
    let mut pieces = Vec::new();
    let mut rest = rows;
    for size in ROW_SIZES {
        while rest.len() >= size {
            let (piece, more) = rest.split_at(size);
            pieces.push(piece);
            rest = more;
        }
    }
    pieces
}

/// What to hold on to while the transaction lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Nothing.
    Nothing,
    /// Nobody else may change the rows.
    Shared,
    /// Nobody else may change them, or hold them.
    Exclusive,
}

impl Hold {
    /// On SQLite the one writer holds everything anyway.
    pub(super) fn apply(self, statement: &mut SelectStatement, dialect: Dialect) {
        match (self, dialect) {
            (_, Dialect::Sqlite) | (Hold::Nothing, _) => {}
            (Hold::Shared, Dialect::Postgres) => {
                statement.lock(LockType::Share);
            }
            (Hold::Exclusive, Dialect::Postgres) => {
                statement.lock(LockType::Update);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_hold_every_value_and_come_in_powers_of_two() {
        for count in [0, 1, 2, 3, 1000, 4096, 4097, 10_000] {
            let lists = lists(0..count);
            let mut values: Vec<i32> = lists.iter().flatten().copied().collect();
            values.dedup();
            assert_eq!(values, (0..count).collect::<Vec<_>>());
            assert!(lists.iter().all(|list| list.len().is_power_of_two() && list.len() <= LIST_LIMIT));
        }
    }

    #[test]
    fn pieces_hold_every_row_once() {
        for count in [0, 1, 5, 255, 256, 1000] {
            let rows: Vec<i32> = (0..count).collect();
            let pieces = row_pieces(&rows);
            assert_eq!(pieces.concat(), rows);
            assert!(pieces.iter().all(|piece| ROW_SIZES.contains(&piece.len())));
        }
    }
}
