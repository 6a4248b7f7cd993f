//! GetGeoLocation and ListGeoLocations: the areas of geolocation record sets.

use super::{ApiError, Code, Outcome, Request};
use crate::api::xml::Writer;
use crate::model::{Continent, Country, GeoLocation, Subdivision, geography};

/// The default and the largest page. Route 53 lists all locations in one.
const PAGE: usize = 500;

/// `continentcode`, or `countrycode` with or without `subdivisioncode`.
pub(super) fn get(request: &Request) -> Outcome {
    let wanted = Codes::of(request, ["continentcode", "countrycode", "subdivisioncode"]);
    let location = match (wanted.continent, wanted.country, wanted.subdivision) {
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
            return Err(ApiError::invalid_input("A continent code cannot be combined with another code."));
        }
        (None, None, Some(_)) => return Err(ApiError::invalid_input("A subdivision code requires a country code.")),
        (None, None, None) => GeoLocation::Default,
        _ => wanted.location().ok_or_else(no_such_location)?,
    };
    Ok(request.response(|xml| details(xml, "GeoLocationDetails", location)))
}

/// The default, the countries by code, each followed by its subdivisions, and the continents.
pub(super) fn list(request: &Request) -> Outcome {
    let start = Codes::of(request, ["startcontinentcode", "startcountrycode", "startsubdivisioncode"]);
    let size = request.page_size("maxitems", PAGE, PAGE)?;
    let first = start.position()?;
    let mut rest = all().filter(|location| position(*location) >= first).peekable();
    let page: Vec<GeoLocation> = rest.by_ref().take(size.get()).collect();
    Ok(request.response(|xml| {
        xml.parent("GeoLocationDetailsList", |xml| {
            page.iter().for_each(|location| details(xml, "GeoLocationDetails", *location));
        });
        xml.element("IsTruncated", rest.peek().is_some());
        if let Some(next) = rest.peek() {
            let Names { continent, country, subdivision } = Names::of(*next);
            xml.optional("NextContinentCode", continent.map(|(code, _)| code));
            xml.optional("NextCountryCode", country.map(|(code, _)| code));
            xml.optional("NextSubdivisionCode", subdivision.map(|(code, _)| code));
        }
        xml.element("MaxItems", size);
    }))
}

/// All locations, in the order of the list.
fn all() -> impl Iterator<Item = GeoLocation> {
    let with_subdivisions = |country| {
        let subdivisions = geography::subdivisions(country).map(move |part| GeoLocation::Subdivision(country, part));
        std::iter::once(GeoLocation::Country(country)).chain(subdivisions)
    };
    let countries = geography::countries().flat_map(with_subdivisions);
    std::iter::once(GeoLocation::Default).chain(countries).chain(Continent::ALL.map(GeoLocation::Continent))
}

/// Codes in a query.
struct Codes<'r> {
    continent: Option<&'r str>,
    country: Option<&'r str>,
    subdivision: Option<&'r str>,
}

impl<'r> Codes<'r> {
    fn of(request: &'r Request, [continent, country, subdivision]: [&str; 3]) -> Codes<'r> {
        Codes {
            continent: request.query(continent),
            country: request.query(country),
            subdivision: request.query(subdivision),
        }
    }

    fn location(&self) -> Option<GeoLocation> {
        if let Some(code) = self.continent {
            return Continent::from_code(code).map(GeoLocation::Continent);
        }
        if self.country? == "*" {
            return self.subdivision.is_none().then_some(GeoLocation::Default);
        }
        let country = Country::from_code(self.country?).filter(|country| geography::is_country(*country))?;
        match self.subdivision {
            None => Some(GeoLocation::Country(country)),
            Some(code) => Subdivision::from_code(code)
                .filter(|subdivision| geography::is_subdivision(country, *subdivision))
                .map(|subdivision| GeoLocation::Subdivision(country, subdivision)),
        }
    }

    /// Where a list starts. The codes need not exist.
    fn position(&self) -> Result<Position, ApiError> {
        match (self.continent, self.country, self.subdivision) {
            (None, None, Some(_)) => Err(ApiError::invalid_input("startsubdivisioncode requires startcountrycode")),
            (None, None, None) => Ok(position(GeoLocation::Default)),
            (Some(continent), _, _) => Ok((2, continent.to_owned(), String::new())),
            (None, Some("*"), None) => Ok(position(GeoLocation::Default)),
            (None, Some(country), subdivision) => {
                Ok((1, country.to_owned(), subdivision.unwrap_or_default().to_owned()))
            }
        }
    }
}

/// The place in the list: kind, code, code of the subdivision.
type Position = (u8, String, String);

fn position(location: GeoLocation) -> Position {
    match location {
        GeoLocation::Default => (0, String::new(), String::new()),
        GeoLocation::Country(country) => (1, country.to_string(), String::new()),
        GeoLocation::Subdivision(country, subdivision) => (1, country.to_string(), subdivision.to_string()),
        GeoLocation::Continent(continent) => (2, continent.code().to_owned(), String::new()),
    }
}

/// Codes and names of a location.
struct Names {
    continent: Option<(String, &'static str)>,
    country: Option<(String, &'static str)>,
    subdivision: Option<(String, &'static str)>,
}

impl Names {
    /// A country has no continent here, as in Route 53's list.
    fn of(location: GeoLocation) -> Names {
        let none = Names { continent: None, country: None, subdivision: None };
        let named =
            |country: Country| Some((country.to_string(), geography::country_name(country).unwrap_or_default()));
        match location {
            GeoLocation::Default => Names { country: Some(("*".to_owned(), "Default")), ..none },
            GeoLocation::Continent(continent) => {
                let name = geography::continent_name(continent);
                Names { continent: Some((continent.code().to_owned(), name)), ..none }
            }
            GeoLocation::Country(country) => Names { country: named(country), ..none },
            GeoLocation::Subdivision(country, part) => {
                let name = geography::subdivision_name(country, part).unwrap_or_default();
                Names { country: named(country), subdivision: Some((part.to_string(), name)), ..none }
            }
        }
    }
}

fn details(xml: &mut Writer, element: &str, location: GeoLocation) {
    let Names { continent, country, subdivision } = Names::of(location);
    xml.parent(element, |xml| {
        for (kind, names) in [("Continent", continent), ("Country", country), ("Subdivision", subdivision)] {
            if let Some((code, name)) = names {
                xml.element(&format!("{kind}Code"), code);
                xml.element(&format!("{kind}Name"), name);
            }
        }
    });
}

fn no_such_location() -> ApiError {
    ApiError::new(Code::NoSuchGeoLocation, "The geolocation you are looking for does not exist")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::operation::Operation;
    use crate::api::xml::Element;

    fn request(operation: Operation, query: &str) -> Request {
        Request::for_tests(operation, &[], query, "")
    }

    fn found(query: &str) -> Result<String, ApiError> {
        let response = get(&request(Operation::GetGeoLocation, query))?.element();
        Ok(texts(&response.children()[0]))
    }

    fn texts(element: &Element) -> String {
        element.children().iter().map(Element::text).collect::<Vec<_>>().join(" ")
    }

    /// The codes of a page, and its `Next…` codes.
    fn page(query: &str) -> (Vec<String>, Vec<String>) {
        let response = list(&request(Operation::ListGeoLocations, query)).unwrap().element();
        let codes = |element: &Element| {
            let codes = element.children().iter().filter(|child| child.name().ends_with("Code"));
            codes.map(Element::text).collect::<Vec<_>>().join("-")
        };
        let next = response.children().iter().filter(|child| child.name().starts_with("Next"));
        let next = next.map(|child| format!("{}={}", child.name(), child.text())).collect();
        (response.children()[0].children().iter().map(codes).collect(), next)
    }

    #[test]
    fn a_location_has_codes_and_names() {
        assert_eq!(found("continentcode=EU").unwrap(), "EU Europe");
        assert_eq!(found("countrycode=DE").unwrap(), "DE Germany");
        assert_eq!(found("countrycode=US&subdivisioncode=CA").unwrap(), "US United States CA California");
        assert_eq!(found("countrycode=*").unwrap(), "* Default");
    }

    #[test]
    fn unknown_locations_and_bad_codes_are_told_apart() {
        let code = |query: &str| found(query).unwrap_err().code();
        for query in [
            "continentcode=XX",
            "countrycode=QQ",
            "countrycode=US&subdivisioncode=QQ",
            "countrycode=*&subdivisioncode=CA",
        ] {
            assert_eq!(code(query), Code::NoSuchGeoLocation, "{query}");
        }
        for query in ["continentcode=EU&countrycode=DE", "subdivisioncode=CA"] {
            assert_eq!(code(query), Code::InvalidInput, "{query}");
        }
    }

    #[test]
    fn the_list_has_the_default_then_countries_then_continents() {
        let (codes, next) = page("");
        assert_eq!(codes[..4], ["*", "AD", "AE", "AF"]);
        let us = codes.iter().position(|code| code == "US").unwrap();
        assert_eq!(codes[us + 1], "US-AK");
        assert_eq!(codes[codes.len() - 7..], ["AF", "AN", "AS", "EU", "NA", "OC", "SA"]);
        assert!(next.is_empty());
    }

    #[test]
    fn pages_join_to_the_whole_list() {
        let (whole, _) = page("");
        let (mut joined, mut query) = (Vec::new(), "maxitems=40".to_owned());
        loop {
            let (codes, next) = page(&query);
            joined.extend(codes);
            if next.is_empty() {
                break;
            }
            let next = next.join("&").replace("Next", "start").to_lowercase();
            // Values stay in upper case.
            let next: Vec<_> = next.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
            let next = next.iter().map(|(name, value)| format!("{name}={}", value.to_uppercase()));
            query = format!("maxitems=40&{}", next.collect::<Vec<_>>().join("&"));
        }
        assert_eq!(joined, whole);
        assert!(list(&request(Operation::ListGeoLocations, "maxitems=0")).is_err());
    }
}
