//! Which gRPC status says what went wrong. What the database says is logged, not sent.

use spil_auth::AuthError;
use tonic::Status;

use crate::{
    ApplyError, AuditError, DigestError, EraseError, FeedError, NamesError, PersonError, StoreError, WhoIsError,
};

pub(super) fn of_token(error: &AuthError) -> Status {
    match error {
        error if error.is_passing() => Status::unavailable(error.to_string()),
        _ => Status::unauthenticated(error.to_string()),
    }
}

pub(super) fn of_apply(error: &ApplyError) -> Status {
    match error {
        ApplyError::Forbidden(forbidden) => Status::permission_denied(forbidden.to_string()),
        ApplyError::Request(_) => Status::invalid_argument(error.to_string()),
        ApplyError::KeyReused => Status::already_exists(error.to_string()),
        ApplyError::TooLarge(_) => Status::resource_exhausted(error.to_string()),
        ApplyError::Contended => Status::aborted(error.to_string()),
        ApplyError::Stopping => Status::unavailable(error.to_string()),
        ApplyError::Person(source) => of_person(source),
        ApplyError::Store(source) => of_store(source),
    }
}

pub(super) fn of_who_is(error: &WhoIsError) -> Status {
    match error {
        WhoIsError::Forbidden(forbidden) => Status::permission_denied(forbidden.to_string()),
        WhoIsError::Request => Status::invalid_argument(error.to_string()),
        WhoIsError::Person(source) => of_person(source),
    }
}

pub(super) fn of_names(error: &NamesError) -> Status {
    match error {
        NamesError::Forbidden(forbidden) => Status::permission_denied(forbidden.to_string()),
        NamesError::NoService => Status::permission_denied(error.to_string()),
        NamesError::Request(_) => Status::invalid_argument(error.to_string()),
        NamesError::NotFound => Status::not_found(error.to_string()),
        NamesError::TooMany => Status::resource_exhausted(error.to_string()),
        NamesError::Store(source) => of_store(source),
    }
}

fn of_person(error: &PersonError) -> Status {
    match error {
        PersonError::Store(source) => of_store(source),
        PersonError::Unreachable(source) => {
            tracing::warn!(code = %source.code(), message = source.message(), "the owner of the workers can not be asked");
            Status::unavailable(error.to_string())
        }
        PersonError::TooMany => Status::resource_exhausted(error.to_string()),
        PersonError::NoAddress => Status::failed_precondition(error.to_string()),
    }
}

pub(super) fn of_feed(error: &FeedError) -> Status {
    match error {
        FeedError::Forbidden(forbidden) => Status::permission_denied(forbidden.to_string()),
        FeedError::Request(_) => Status::invalid_argument(error.to_string()),
        FeedError::OutOfRange => Status::out_of_range(error.to_string()),
        FeedError::TooSlow => Status::resource_exhausted(error.to_string()),
        FeedError::Stopping => Status::unavailable(error.to_string()),
        FeedError::Store(source) => of_store(source),
    }
}

pub(super) fn of_digest(error: &DigestError) -> Status {
    match error {
        DigestError::Forbidden(forbidden) => Status::permission_denied(forbidden.to_string()),
        DigestError::Store(source) => of_store(source),
    }
}

pub(super) fn of_erase(error: &EraseError) -> Status {
    match error {
        EraseError::Forbidden(forbidden) => Status::permission_denied(forbidden.to_string()),
        EraseError::Request(_) => Status::invalid_argument(error.to_string()),
        EraseError::NotFound => Status::not_found(error.to_string()),
        EraseError::Contended => Status::aborted(error.to_string()),
        EraseError::Stopping => Status::unavailable(error.to_string()),
        EraseError::Person(source) => of_person(source),
        EraseError::Store(source) => of_store(source),
    }
}

pub(super) fn of_audit(error: &AuditError) -> Status {
    match error {
        AuditError::Forbidden(forbidden) => Status::permission_denied(forbidden.to_string()),
        AuditError::Request(_) => Status::invalid_argument(error.to_string()),
        AuditError::Store(source) => of_store(source),
    }
}

fn of_store(error: &StoreError) -> Status {
    match error {
        StoreError::Unreachable(_) | StoreError::Contended(_) | StoreError::Crowded => {
            tracing::warn!(error = error as &dyn std::error::Error, "the database is not at hand");
            Status::unavailable(error.to_string())
        }
        _ => {
            tracing::error!(error = error as &dyn std::error::Error, "the database failed");
            Status::internal("the database failed")
        }
    }
}
