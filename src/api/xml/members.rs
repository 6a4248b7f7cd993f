//! The members of a shape: which elements a request may and must have, and the types of their
//! texts.
//!
//! Route 53 validates requests with an XML schema. The sentences of its errors begin with the names
//! of the schema's constraints, such as `cvc-complex-type.2.4.a`. Elements can be in any order; in
//! strict mode they must be in that of the API reference.

use std::ops::RangeInclusive;

use super::{Element, ElementOrder, NAMESPACE};
use crate::api::errors::ApiError;

/// The child elements of a structure, each at most once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Members<'e> {
    element: &'e Element,
}

impl<'e> Members<'e> {
    /// The members of an element; the names are in the order of the API reference. Other elements,
    /// a second element of one name, and text are errors.
    pub(crate) fn of(element: &'e Element, names: &[&str]) -> Result<Members<'e>, ApiError> {
        let mut expected = names;
        for (at, child) in element.children().iter().enumerate() {
            let is_second = || element.children()[..at].iter().any(|other| other.name() == child.name());
            match expected.iter().position(|name| *name == child.name()) {
                Some(position) if element.order() == ElementOrder::Reference => expected = &expected[position + 1..],
                Some(_) if !is_second() => {}
                _ => return Err(unexpected(child.name(), expected)),
            }
        }
        no_text(element)?;
        Ok(Members { element })
    }

    /// The element with this name.
    pub(crate) fn child(self, name: &str) -> Option<&'e Element> {
        self.element.children().iter().find(|child| child.name() == name)
    }

    pub(crate) fn required_child(self, name: &str) -> Result<&'e Element, ApiError> {
        self.child(name).ok_or_else(|| self.incomplete(name))
    }

    /// A string.
    pub(crate) fn text(self, name: &str) -> Result<Option<&'e str>, ApiError> {
        self.child(name).map(text_of).transpose()
    }

    pub(crate) fn required_text(self, name: &str) -> Result<&'e str, ApiError> {
        text_of(self.required_child(name)?)
    }

    pub(crate) fn integer(self, name: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(name)?.map(str::trim) else { return Ok(None) };
        let (least, most) = (range.start(), range.end());
        let bad = |why| Err(invalid(&format!("{why} for element '{name}'.")));
        match text.parse::<i64>() {
            Ok(number) if number < *least => bad(format!(
                "cvc-minInclusive-valid: Value '{number}' is not facet-valid with respect to minInclusive '{least}'"
            )),
            Ok(number) if number > *most => bad(format!(
                "cvc-maxInclusive-valid: Value '{number}' is not facet-valid with respect to maxInclusive '{most}'"
            )),
            Ok(number) => Ok(Some(number)),
            Err(_) => bad(format!("cvc-datatype-valid.1.2.1: '{text}' is not a valid value for 'integer'")),
        }
    }

    pub(crate) fn boolean(self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.text(name)?.map(str::trim) {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(text) => {
                Err(invalid(&format!("cvc-datatype-valid.1.2.1: '{text}' is not a valid value for 'boolean'.")))
            }
        }
    }

    /// One of these words.
    pub(crate) fn required_choice(self, name: &str, words: &[&str]) -> Result<&'e str, ApiError> {
        self.choice(name, words)?.ok_or_else(|| self.incomplete(name))
    }

    /// One of these words.
    pub(crate) fn choice(self, name: &str, words: &[&str]) -> Result<Option<&'e str>, ApiError> {
        match self.text(name)? {
            Some(text) if !words.contains(&text) => Err(not_in_enumeration(text, words)),
            text => Ok(text),
        }
    }

    /// A string whose characters number within this range.
    pub(crate) fn sized_text(self, name: &str, characters: RangeInclusive<usize>) -> Result<Option<&'e str>, ApiError> {
        self.child(name).map(|child| sized(child, characters)).transpose()
    }

    pub(crate) fn required_sized_text(
        self,
        name: &str,
        characters: RangeInclusive<usize>,
    ) -> Result<&'e str, ApiError> {
        sized(self.required_child(name)?, characters)
    }

    /// The items of a list: the children of `name`, all of which are called `item`.
    pub(crate) fn list(self, name: &str, item: &str) -> Result<Option<&'e [Element]>, ApiError> {
        let Some(list) = self.child(name) else { return Ok(None) };
        if let Some(other) = list.children().iter().find(|child| child.name() != item) {
            return Err(unexpected(other.name(), &[item]));
        }
        no_text(list)?;
        Ok(Some(list.children()))
    }

    pub(crate) fn required_list(self, name: &str, item: &str) -> Result<&'e [Element], ApiError> {
        self.list(name, item)?.ok_or_else(|| self.incomplete(name))
    }

    /// The error for a missing element.
    pub(crate) fn incomplete(self, missing: &str) -> ApiError {
        invalid(&format!(
            "cvc-complex-type.2.4.b: The content of element '{}' is not complete. One of '{}' is expected.",
            self.element.name(),
            qualified(&[missing])
        ))
    }
}

/// The text of an element without child elements.
pub(crate) fn text_of(element: &Element) -> Result<&str, ApiError> {
    match element.children().first() {
        None => Ok(element.text()),
        Some(child) => Err(invalid(&format!(
            "cvc-type.3.1.2: Element '{}' is a simple type, so it must have no element information item [children], but \
             it has '{}'.",
            element.name(),
            child.name()
        ))),
    }
}

/// The text of an element whose characters number within this range.
pub(crate) fn sized(element: &Element, characters: RangeInclusive<usize>) -> Result<&str, ApiError> {
    let text = text_of(element)?;
    let length = text.chars().count();
    let (name, least, most) = (element.name(), characters.start(), characters.end());
    let bad = |facet: &str, bound: &usize| {
        Err(invalid(&format!(
            "cvc-{facet}-valid: Value '{text}' with length = '{length}' is not facet-valid with respect to {facet} \
             '{bound}' for element '{name}'."
        )))
    };
    match length {
        _ if length < *least => bad("minLength", least),
        _ if length > *most => bad("maxLength", most),
        _ => Ok(text),
    }
}

fn no_text(element: &Element) -> Result<(), ApiError> {
    if element.text().trim().is_empty() {
        return Ok(());
    }
    Err(invalid(&format!(
        "cvc-complex-type.2.3: Element '{}' cannot have character [children], because the type's content type is \
         element-only.",
        element.name()
    )))
}

fn unexpected(name: &str, expected: &[&str]) -> ApiError {
    if expected.is_empty() {
        return invalid(&format!(
            "cvc-complex-type.2.4.d: Invalid content was found starting with element '{name}'. No child element is \
             expected at this point."
        ));
    }
    invalid(&format!(
        "cvc-complex-type.2.4.a: Invalid content was found starting with element '{name}'. One of '{}' is expected.",
        qualified(expected)
    ))
}

/// The error for a value that is none of these words.
pub(in crate::api) fn not_in_enumeration(value: &str, words: &[&str]) -> ApiError {
    invalid(&format!(
        "cvc-enumeration-valid: Value '{value}' is not facet-valid with respect to enumeration '[{}]'. It must be a \
         value from the enumeration.",
        words.join(", ")
    ))
}

/// The error for a value that does not fit a pattern.
pub(in crate::api) fn not_of_pattern(value: &str, pattern: &str) -> ApiError {
    invalid(&format!("cvc-pattern-valid: Value '{value}' is not facet-valid with respect to pattern '{pattern}'."))
}

fn invalid(why: &str) -> ApiError {
    ApiError::invalid_input(format!("Invalid XML ; {why}"))
}

/// `{"namespace":A, "namespace":B}`
fn qualified(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("\"{NAMESPACE}\":{name}")).collect();
    format!("{{{}}}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(text: &str) -> Element {
        Element::read(text.as_bytes()).unwrap()
    }

    /// What goes wrong with the members A and B.
    fn error(text: &str, read: impl Fn(Members<'_>) -> Result<(), ApiError>) -> String {
        let element = element(text);
        let outcome = Members::of(&element, &["A", "B"]).and_then(read);
        outcome.map_or_else(|error| error.message().to_owned(), |()| String::new())
    }

    #[test]
    fn members_come_in_any_order_and_once() {
        let both = element("<R> <B>2</B> <A>x</A> </R>");
        let members = Members::of(&both, &["A", "B"]).unwrap();
        assert_eq!(members.text("A"), Ok(Some("x")));
        assert_eq!(members.integer("B", 0..=9), Ok(Some(2)));
        let fine = |_: Members<'_>| Ok(());
        let twice = "Invalid XML ; cvc-complex-type.2.4.a: Invalid content was found starting with element 'A'. One of \
                     '{\"https://route53.amazonaws.com/doc/2013-04-01/\":A, \
                     \"https://route53.amazonaws.com/doc/2013-04-01/\":B}' is expected.";
        assert_eq!(error("<R><A/><A/></R>", fine), twice);
        assert_eq!(error("<R><C/></R>", fine), twice.replace("element 'A'", "element 'C'"));
        assert!(error("<R>text<A/></R>", fine).contains("cvc-complex-type.2.3"));
        assert!(error("<R><A><B/></A></R>", |members| members.text("A").map(drop)).contains("cvc-type.3.1.2"));
    }

    #[test]
    fn strict_mode_wants_the_order_of_the_reference() {
        let error = |text: &str| {
            let element = Element::read_in(text.as_bytes(), ElementOrder::Reference).unwrap();
            let outcome = Members::of(&element, &["A", "B", "C"]);
            outcome.map_or_else(|error| error.message().to_owned(), |_| String::new())
        };
        for fine in ["<R/>", "<R><A/></R>", "<R><A/><C/></R>", "<R><A/><B/><C/></R>"] {
            assert_eq!(error(fine), "", "{fine}");
        }
        let only_c = "Invalid XML ; cvc-complex-type.2.4.a: Invalid content was found starting with element 'A'. One of \
                      '{\"https://route53.amazonaws.com/doc/2013-04-01/\":C}' is expected.";
        assert_eq!(error("<R><B/><A/></R>"), only_c);
        assert!(error("<R><A/><A/></R>").contains(":B, "));
        let nothing = "Invalid XML ; cvc-complex-type.2.4.d: Invalid content was found starting with element 'B'. No \
                       child element is expected at this point.";
        assert_eq!(error("<R><C/><B/></R>"), nothing);
    }

    #[test]
    fn a_missing_element_is_named() {
        let expected = "Invalid XML ; cvc-complex-type.2.4.b: The content of element 'R' is not complete. One of \
                        '{\"https://route53.amazonaws.com/doc/2013-04-01/\":B}' is expected.";
        assert_eq!(error("<R><A/></R>", |members| members.required_text("B").map(drop)), expected);
        assert_eq!(error("<R><A/></R>", |members| members.required_list("B", "C").map(drop)), expected);
    }

    #[test]
    fn texts_have_types() {
        let integer = |text: &str| error(&format!("<R><A>{text}</A></R>"), |m| m.integer("A", 0..=255).map(drop));
        assert_eq!(integer(" 255 "), "");
        assert!(integer("256").contains("maxInclusive '255'"));
        assert!(integer("-1").contains("minInclusive '0'"));
        for bad in ["", "x", "1.5", "99999999999999999999"] {
            assert!(integer(bad).contains("not a valid value for 'integer'"), "{bad}");
        }
        let boolean = |text: &str| error(&format!("<R><A>{text}</A></R>"), |m| m.boolean("A").map(drop));
        assert_eq!(boolean("true"), "");
        assert!(boolean("True").contains("'True' is not a valid value for 'boolean'"));
        let choice = |members: Members<'_>| members.choice("A", &["CREATE", "DELETE", "UPSERT"]).map(drop);
        assert_eq!(
            error("<R><A>PUT</A></R>", choice),
            "Invalid XML ; cvc-enumeration-valid: Value 'PUT' is not facet-valid with respect to enumeration \
             '[CREATE, DELETE, UPSERT]'. It must be a value from the enumeration."
        );
        let sized = |text: &str| error(&format!("<R><A>{text}</A></R>"), |m| m.sized_text("A", 1..=3).map(drop));
        assert_eq!(sized("äöü"), "");
        assert!(sized("").contains("minLength '1'"));
        assert!(sized("four").contains("length = '4' is not facet-valid with respect to maxLength '3'"));
    }

    #[test]
    fn a_list_has_items_of_one_name() {
        let list = element("<R><A> <I>1</I> <I>2</I> </A></R>");
        let members = Members::of(&list, &["A"]).unwrap();
        assert_eq!(members.required_list("A", "I").unwrap().len(), 2);
        assert!(members.required_list("A", "X").is_err());
        assert_eq!(members.list("B", "I"), Ok(None));
    }
}
