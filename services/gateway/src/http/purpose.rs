//! What a client says it reads personal data for: the header `Spil-Purpose`, or `purpose` where a socket says who it is.

use actix_web::HttpRequest;
use serde_json::{Map, Value};
use spil_proto::model::Purpose;

use crate::graphql::{
    error::{Code, GraphqlError},
    purpose,
};

/// The header that names the purpose.
pub(super) const HEADER: &str = "spil-purpose";

/// The purpose that the head of a request names; none if it names none.
///
/// # Errors
/// If it names one that is not known, or names more than one.
pub(super) fn of(http: &HttpRequest) -> Result<Option<Purpose>, GraphqlError> {
    let mut values = http.headers().get_all(HEADER);
    let Some(value) = values.next() else { return Ok(None) };
    let known = value.to_str().ok().and_then(|text| purpose::of_name(text.trim()));
    match known {
        Some(purpose) if values.next().is_none() => Ok(Some(purpose)),
        _ => Err(unknown("the header `Spil-Purpose`")),
    }
}

/// The purpose that the payload of a `connection_init` names, as `purpose` or as the header is called.
///
/// # Errors
/// If it names one that is not known.
pub(super) fn shown(payload: &Map<String, Value>) -> Result<Option<Purpose>, GraphqlError> {
    let named = |wanted: &str| payload.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    match named("purpose").or_else(|| named(HEADER)) {
        None | Some((_, Value::Null)) => Ok(None),
        Some((_, value)) => match value.as_str().and_then(|text| purpose::of_name(text.trim())) {
            Some(purpose) => Ok(Some(purpose)),
            None => Err(unknown("`purpose`")),
        },
    }
}

/// Says what may be named. What was named is not repeated: it may be anything.
fn unknown(place: &str) -> GraphqlError {
    let names: Vec<_> = purpose::names().collect();
    GraphqlError::new(Code::BadInput, format!("{place} names one purpose that is known: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use serde_json::json;

    use super::*;

    fn head(values: &[&'static str]) -> Result<Option<Purpose>, GraphqlError> {
        let request =
            values.iter().fold(TestRequest::default(), |request, value| request.append_header((HEADER, *value)));
        of(&request.to_http_request())
    }

    #[test]
    fn a_header_names_one_known_purpose() {
        assert_eq!(head(&[]), Ok(None));
        assert_eq!(head(&["SKILL_DEVELOPMENT"]), Ok(Some(Purpose::SkillDevelopment)));
        assert_eq!(head(&[" PERSONNEL_ADMINISTRATION "]), Ok(Some(Purpose::PersonnelAdministration)));
        for values in [
            &[""][..],
            &["skill_development"],
            &["PURPOSE_SKILL_DEVELOPMENT"],
            &["UNSPECIFIED"],
            &["CURIOSITY"],
            &["SKILL_DEVELOPMENT, PERSONNEL_ADMINISTRATION"],
            &["SKILL_DEVELOPMENT", "SKILL_DEVELOPMENT"],
        ] {
            let error = head(values).expect_err("no purpose");
            assert_eq!(error.code, Code::BadInput);
            assert!(error.message.contains("Spil-Purpose") && error.message.contains("SKILL_DEVELOPMENT"));
            assert!(!error.message.contains("CURIOSITY"), "what was sent is not repeated");
        }
    }

    #[test]
    fn a_payload_names_one_known_purpose() {
        let payload = |payload: Value| shown(payload.as_object().expect("an object"));
        assert_eq!(payload(json!({"token": "x"})), Ok(None));
        assert_eq!(payload(json!({"purpose": null})), Ok(None));
        for value in [json!({"purpose": "SKILL_DEVELOPMENT"}), json!({"Spil-Purpose": "SKILL_DEVELOPMENT"})] {
            assert_eq!(payload(value), Ok(Some(Purpose::SkillDevelopment)));
        }
        for value in [json!({"purpose": "CURIOSITY"}), json!({"purpose": 1}), json!({"purpose": ["SKILL_DEVELOPMENT"]})]
        {
            assert_eq!(payload(value).expect_err("no purpose").code, Code::BadInput);
        }
    }
}
