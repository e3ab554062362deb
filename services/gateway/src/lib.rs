//! Follows the owners, holds the snapshot and serves GraphQL.
