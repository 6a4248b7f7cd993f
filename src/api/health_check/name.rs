//! The name of a health check in its file. The API has no names.

use crate::model::HealthCheck;

/// How many characters of its id a check gets into its name if another check has that name: the
/// first group of a UUID, which is different for nearly all checks and still short.
const ID_DIGITS: usize = 8;

/// The name for a check with this id: the wanted one, if it can be a name and none of `checks` is
/// called so; else one with digits of the id.
pub(crate) fn free_name(wanted: &str, id: &str, checks: &[HealthCheck]) -> String {
    let digits: String = id.chars().take(ID_DIGITS).collect();
    let is_plain = wanted.trim() == wanted && !wanted.chars().any(char::is_control);
    if !is_plain || wanted.is_empty() || wanted == id {
        return format!("check-{digits}");
    }
    let is_free = checks.iter().all(|check| check.name != wanted && check.id.0 != wanted);
    if is_free { wanted.to_owned() } else { format!("{wanted}-{digits}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HealthCheckId, HealthCheckKind, ManualCheck, RoutingControlState, Tags};

    #[test]
    fn a_name_is_the_wanted_one_if_that_is_free() {
        let kind = HealthCheckKind::Manual(ManualCheck { state: RoutingControlState::On, routing_control_arn: None });
        let taken = HealthCheck {
            id: HealthCheckId("id-of-blue".to_owned()),
            name: "blue".to_owned(),
            caller_reference: None,
            version: 1,
            tags: Tags::new(),
            inverted: false,
            disabled: false,
            agreement: None,
            kind,
        };
        let id = "0123abcd-0000-4000-8000-000000000000";
        let name = |wanted: &str| free_name(wanted, id, std::slice::from_ref(&taken));
        assert_eq!(name("green"), "green");
        assert_eq!(name("blue"), "blue-0123abcd");
        assert_eq!(name("id-of-blue"), "id-of-blue-0123abcd");
        assert_eq!(name("a\nb"), "check-0123abcd");
        assert_eq!(name(" a"), "check-0123abcd");
        assert_eq!(name(id), "check-0123abcd");
        assert_eq!(name(""), "check-0123abcd");
    }
}
