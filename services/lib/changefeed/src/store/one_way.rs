//! Salts, and the tokens made with them. Both stay in this database: they are in no record, and so in no feed and no answer.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{
    ConnectionTrait, DatabaseTransaction,
    sea_query::{Expr, ExprTrait, OnConflict, Query},
};
use uuid::Uuid;

use super::{StoreError, statement};
use crate::command::one_way::{Place, SALT_BYTES, Salt, Token};

const SALTS: &str = "one_way_salt";
const TOKENS: &str = "one_way_token";
/// Whose salt the hashes of whole requests are made with: no record has this id.
const REQUESTS: Uuid = Uuid::nil();

/// The salt for hashes of whole requests.
pub(super) async fn request_salt(transaction: &DatabaseTransaction, dry: bool) -> Result<Salt, StoreError> {
    let mut salts = if dry {
        // Nothing is kept of a dry run; where there is no salt there is no answer to be found either.
        let mut found = find_salts(transaction, &[REQUESTS]).await?;
        found.entry(REQUESTS).or_insert_with(|| Salt::new(rand::random::<[u8; SALT_BYTES]>().to_vec()));
        found
    } else {
        salts(transaction, &[REQUESTS]).await?
    };
    salts.remove(&REQUESTS).ok_or(StoreError::Unreadable { table: SALTS, column: "salt" })
}

/// The salts of some records, made where there are none.
pub(super) async fn salts(
    transaction: &DatabaseTransaction,
    scopes: &[Uuid],
) -> Result<HashMap<Uuid, Salt>, StoreError> {
    let mut found = find_salts(transaction, scopes).await?;
    let missing: Vec<Uuid> = scopes.iter().copied().filter(|scope| !found.contains_key(scope)).collect();
    if missing.is_empty() {
        return Ok(found);
    }
    let fresh: Vec<(Uuid, [u8; SALT_BYTES])> = missing.iter().map(|scope| (*scope, rand::random())).collect();
    for piece in statement::row_pieces(&fresh) {
        let mut statement = Query::insert();
        statement.into_table(SALTS).columns(["scope_id", "salt"]);
        for (scope, salt) in piece {
            statement.values_panic([(*scope).into(), salt.to_vec().into()]);
        }
        // Another batch may have made it meanwhile; then its salt counts.
        statement.on_conflict(OnConflict::column("scope_id").do_nothing().to_owned());
        transaction.execute(&statement).await?;
    }
    found.extend(find_salts(transaction, &missing).await?);
    Ok(found)
}

async fn find_salts(transaction: &DatabaseTransaction, scopes: &[Uuid]) -> Result<HashMap<Uuid, Salt>, StoreError> {
    let mut found = HashMap::new();
    for list in statement::lists(scopes.iter().copied()) {
        let statement = Query::select()
            .columns(["scope_id", "salt"])
            .from(SALTS)
            .and_where(Expr::col("scope_id").is_in(list))
            .to_owned();
        for row in transaction.query_all(&statement).await? {
            found.insert(row.try_get_by_index(0)?, Salt::new(row.try_get_by_index(1)?));
        }
    }
    Ok(found)
}

/// Which of some tokens are taken.
pub(super) async fn find<'a>(
    transaction: &DatabaseTransaction,
    places: impl Iterator<Item = &'a Place>,
) -> Result<Vec<Place>, StoreError> {
    let mut by_scope: BTreeMap<Uuid, Vec<Vec<u8>>> = BTreeMap::new();
    for place in places {
        by_scope.entry(place.scope).or_default().push(place.token.0.clone());
    }
    let mut found = Vec::new();
    for (scope, tokens) in by_scope {
        for list in statement::lists(tokens) {
            let statement = Query::select()
                .column("token")
                .from(TOKENS)
                .and_where(Expr::col("scope_id").eq(scope))
                .and_where(Expr::col("token").is_in(list))
                .to_owned();
            for row in transaction.query_all(&statement).await? {
                found.push(Place { scope, token: Token(row.try_get_by_index(0)?) });
            }
        }
    }
    Ok(found)
}

/// Keeps the tokens of new records, for ever: one that came free when its record is retired would tell whose that was.
pub(super) async fn keep(transaction: &DatabaseTransaction, places: &[&Place]) -> Result<(), StoreError> {
    for piece in statement::row_pieces(places) {
        let mut statement = Query::insert();
        statement.into_table(TOKENS).columns(["scope_id", "token"]);
        for place in piece {
            statement.values_panic([place.scope.into(), place.token.0.clone().into()]);
        }
        transaction.execute(&statement).await?;
    }
    Ok(())
}
