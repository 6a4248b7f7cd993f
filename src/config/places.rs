//! The places that simulated clients come from: `fiftythree simulate --from places.toml`.

use std::collections::HashMap;
use std::ops::Range;

use ipnet::IpNet;

use super::document::{self, Findings};
use super::table::{At, Table};
use super::{Fault, SourceFile, keys, value};

/// A place and its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientPlace {
    /// What people call it.
    pub name: String,
    /// Its part of all clients, over the sum of all places' weights; 1 to 1 000 000.
    pub weight: u32,
    /// Where its clients' addresses are; at least one.
    pub networks: Vec<IpNet>,
}

/// Reads a file of places. Without errors there are places; every fault is returned either way.
pub fn read_places(file: &SourceFile) -> (Option<Vec<ClientPlace>>, Vec<Fault>) {
    let (root, mut findings) = document::parse(file);
    let end = findings.text().len().min(1);
    let root = Table::open(&root, &keys::PLACES, 0..end, &mut findings);
    root.integer("version", &mut findings);
    let places = read_all(&root, &mut findings);
    let faults = findings.into_faults();
    let broken = faults.iter().any(Fault::is_error);
    ((!broken).then_some(places), faults)
}

fn read_all(root: &Table<'_>, findings: &mut Findings<'_>) -> Vec<ClientPlace> {
    let mut places = Vec::new();
    let mut seen: HashMap<String, Range<usize>> = HashMap::new();
    let tables = root.tables("place", findings);
    if (!root.has("place") || root.is_empty_list("place")) && root.is_whole(findings) {
        let fault = findings.error(root.span.clone(), "there is no place");
        fault.label("nobody to simulate").hint("write a `[[place]]` with `name` and `networks`");
    }
    for table in tables {
        let Some((place, span)) = read_place(&table, findings) else { continue };
        if let Some(first) = seen.insert(place.name.clone(), span.clone()) {
            let first = findings.place(first, "first here");
            findings
                .error(span, format!("the place `{}` stands twice", place.name))
                .label("the second time")
                .related(first);
        }
        places.push(place);
    }
    places
}

fn read_place(table: &Table<'_>, findings: &mut Findings<'_>) -> Option<(ClientPlace, Range<usize>)> {
    let mark = findings.mark();
    table.require("name", "such as name = \"Berlin\"", findings);
    table.require("networks", "such as networks = [\"192.0.2.0/24\"]", findings);
    let name = table.text("name", findings);
    let weight = table.integer("weight", findings);
    let texts = table.texts("networks", findings);
    if texts.as_ref().is_some_and(Vec::is_empty) {
        findings.error(table.span_of("networks"), "a place without networks").label("where do its clients come from?");
    }
    let read = |text: &At<&str>| value::network(text, findings);
    let networks: Vec<IpNet> = texts.iter().flatten().filter_map(read).collect();
    if findings.has_error_since(mark) {
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

    fn read(text: &str) -> (Option<Vec<ClientPlace>>, Vec<Fault>) {
        read_places(&SourceFile::new(PathBuf::from("places.toml"), text))
    }

    #[test]
    fn places_have_weights_and_networks() {
        let text = "[[place]]\nname = 'Berlin'\nweight = 3\nnetworks = ['192.0.2.0/24', '2001:db8::/48']\n\
                    [[place]]\nname = 'Tokyo'\nnetworks = ['203.0.113.0/24']\n";
        let (places, faults) = read(text);
        assert_eq!(faults, []);
        let places = places.unwrap();
        assert_eq!(
            places.iter().map(|place| (place.weight, place.networks.len())).collect::<Vec<_>>(),
            [(3, 2), (1, 1)]
        );
    }
}
