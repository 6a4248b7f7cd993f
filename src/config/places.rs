//! The places that simulated clients come from: `fiftythree simulate --from places.toml`.

use std::collections::HashMap;
use std::ops::Range;

use ipnet::IpNet;

use super::document::{self, Diagnostics};
use super::table::{At, Table};
use super::{Diagnostic, SourceFile, keys, value};

/// A place and its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientPlace {
    /// Its name in the output.
    pub name: String,
    /// Its share of all clients: this weight over the sum of all weights; 1 to 1 000 000.
    pub weight: u32,
    /// The networks of its clients; at least one.
    pub networks: Vec<IpNet>,
}

/// Reads a file of places. Returns the places when there is no error, and all diagnostics.
pub fn read_places(file: &SourceFile) -> (Option<Vec<ClientPlace>>, Vec<Diagnostic>) {
    let (root, mut diagnostics) = document::parse(file);
    let end = diagnostics.text().len().min(1);
    let root = Table::open(&root, &keys::PLACES, 0..end, &mut diagnostics);
    root.integer("version", &mut diagnostics);
    let places = read_all(&root, &mut diagnostics);
    let diagnostics = diagnostics.into_diagnostics();
    let broken = diagnostics.iter().any(Diagnostic::is_error);
    ((!broken).then_some(places), diagnostics)
}

fn read_all(root: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Vec<ClientPlace> {
    let mut places = Vec::new();
    let mut seen: HashMap<String, Range<usize>> = HashMap::new();
    let tables = root.tables("place", diagnostics);
    if (!root.has("place") || root.is_empty_list("place")) && root.is_whole(diagnostics) {
        let diagnostic = diagnostics.error(root.span.clone(), "the file has no places");
        diagnostic.label("no clients to simulate").hint("write a `[[place]]` with `name` and `networks`");
    }
    for table in tables {
        let Some((place, span)) = read_place(&table, diagnostics) else { continue };
        if let Some(first) = seen.insert(place.name.clone(), span.clone()) {
            let first = diagnostics.related_span(first, "first here");
            diagnostics
                .error(span, format!("the place `{}` is defined twice", place.name))
                .label("the second time")
                .related(first);
        }
        places.push(place);
    }
    places
}

fn read_place(table: &Table<'_>, diagnostics: &mut Diagnostics<'_>) -> Option<(ClientPlace, Range<usize>)> {
    let mark = diagnostics.mark();
    table.require("name", "such as name = \"Berlin\"", diagnostics);
    table.require("networks", "such as networks = [\"192.0.2.0/24\"]", diagnostics);
    let name = table.string("name", diagnostics);
    let weight = table.integer("weight", diagnostics);
    let texts = table.strings("networks", diagnostics);
    if texts.as_ref().is_some_and(Vec::is_empty) {
        diagnostics.error(table.span_of("networks"), "a place without networks").label("an empty list");
    }
    let read = |text: &At<&str>| value::network(text, diagnostics);
    let networks: Vec<IpNet> = texts.iter().flatten().filter_map(read).collect();
    if diagnostics.has_error_since(mark) {
        return None;
    }
    let (name, span) = name.map(|name| (name.value.to_owned(), name.span))?;
    let weight = weight.and_then(|weight| u32::try_from(weight.value).ok()).unwrap_or(1);
    Some((ClientPlace { name, weight, networks }, span))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn read(text: &str) -> (Option<Vec<ClientPlace>>, Vec<Diagnostic>) {
        read_places(&SourceFile::new(PathBuf::from("places.toml"), text))
    }

    #[test]
    fn places_have_weights_and_networks() {
        let text = "[[place]]\nname = 'Berlin'\nweight = 3\nnetworks = ['192.0.2.0/24', '2001:db8::/48']\n\
                    [[place]]\nname = 'Tokyo'\nnetworks = ['203.0.113.0/24']\n";
        let (places, diagnostics) = read(text);
        assert_eq!(diagnostics, []);
        let places = places.unwrap();
        assert_eq!(
            places.iter().map(|place| (place.weight, place.networks.len())).collect::<Vec<_>>(),
            [(3, 2), (1, 1)]
        );
    }
}
